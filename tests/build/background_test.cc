#include "build/background.h"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include "fake_surroundings.h"

namespace hearth::build {
namespace {

using namespace std::chrono_literals;

SaveJob sample() {
  store::OpenOptions options;
  options.verification = http::Verification::none;
  options.transfers = 8;
  options.stall = 10s;
  options.tier = {.directory = "/var/cache/tier \xff", .bytes = 123, .written_once = {}};
  SaveJob job;
  job.store_url = "s3://bucket/prefix?region=eu";
  job.store_options = options;
  job.app = "demo";
  job.build = "20260131T120000Z-00";
  job.work_root = "/srv/hearth";
  job.work_path = "/srv/hearth/apps/demo/0";
  job.request = {.name = {"demo", "heroku-24", "amd64"},
                 .options = {.threads = 3,
                             .transfers = 5,
                             .compression_level = 7,
                             .max_bytes = 9000,
                             .exclude = {},
                             .as = cache::SaveAs::failed,
                             .progress = nullptr},
                 .exclude = "*.log\n/tmp/\n",
                 .culprit = "00000000000000aa",
                 .limits = {.deadline = 120s, .stall = 10s}};
  job.has_records = true;
  job.report = "{}";
  job.log = "any \xff\xfe bytes\n";
  job.secrets = {"very \x80 secret"};
  job.build_started = std::chrono::steady_clock::now();
  job.past.build = job.build;
  job.past.compile_time = 1250ms;
  job.keep_caches = 77;
  job.is_remembered = true;
  return job;
}

TEST(SaveJob, ComesBackWithEveryMember) {
  const SaveJob job = sample();
  const Result<SaveJob> read = decode_job(encode_job(job));
  ASSERT_TRUE(read.has_value()) << read.error().message;
  EXPECT_EQ(job.store_url, read->store_url);
  EXPECT_EQ(http::Verification::none, read->store_options.verification);
  ASSERT_TRUE(read->store_options.tier.has_value());
  EXPECT_EQ(job.store_options.tier->directory, read->store_options.tier->directory);
  EXPECT_EQ(123U, read->store_options.tier->bytes);
  EXPECT_FALSE(
      read->store_options.tier->written_once(store::Key::parse("apps/demo/cache/HEAD.heroku-24-amd64").value()));
  EXPECT_EQ(job.app, read->app);
  EXPECT_EQ(job.build, read->build);
  EXPECT_EQ(job.work_root, read->work_root);
  EXPECT_EQ(job.work_path, read->work_path);
  EXPECT_EQ(job.request.name, read->request.name);
  EXPECT_EQ(3U, read->request.options.threads);
  EXPECT_EQ(5U, read->request.options.transfers);
  EXPECT_EQ(7, read->request.options.compression_level);
  EXPECT_EQ(9000U, read->request.options.max_bytes);
  EXPECT_EQ(job.request.exclude, read->request.exclude);
  EXPECT_EQ(cache::SaveAs::failed, read->request.options.as);
  EXPECT_EQ(job.request.culprit, read->request.culprit);
  EXPECT_EQ(120s, read->request.limits.deadline);
  EXPECT_EQ(10s, read->request.limits.stall);
  EXPECT_TRUE(read->has_records);
  EXPECT_EQ(job.report, read->report);
  EXPECT_EQ(job.log, read->log);
  EXPECT_EQ(job.secrets, read->secrets);
  EXPECT_EQ(job.build_started, read->build_started);
  EXPECT_EQ(job.past, read->past);
  EXPECT_EQ(77U, read->keep_caches);
  EXPECT_EQ(job.store_options.transfers, read->store_options.transfers);
  EXPECT_EQ(10s, read->store_options.stall);
  EXPECT_TRUE(read->is_remembered);
}

TEST(SaveJob, WithoutATier) {
  SaveJob job = sample();
  job.store_options = {};
  const Result<SaveJob> read = decode_job(encode_job(job));
  ASSERT_TRUE(read.has_value());
  EXPECT_FALSE(read->store_options.tier);
  EXPECT_EQ(http::Verification::full, read->store_options.verification);
}

TEST(SaveJob, IsNotReadFromAnythingElse) {
  const std::string bytes = encode_job(sample());
  for (const std::string& wrong : {std::string(), std::string("{}"), bytes.substr(0, bytes.size() / 2), bytes + "x"}) {
    EXPECT_EQ(ErrorKind::invalid, decode_job(wrong).error().kind) << wrong.size();
  }
}

TEST(SaveJob, LiesInAFileWithoutAName) {
  const Result<util::Fd> file = job_file(sample());
  ASSERT_TRUE(file.has_value()) << file.error().message;
  EXPECT_NE(0, ::fcntl(file->get(), F_GETFD) & FD_CLOEXEC);
}

TEST(FinishSave, RefusesWhatIsNoJob) {
  store::MemoryStore memory;
  util::Fd file(::open("/dev/null", O_RDONLY | O_CLOEXEC));
  const Surroundings around = fake_surroundings(memory, [](const Call&) { return sandbox::Exit{}; }, {});
  EXPECT_EQ(ErrorKind::invalid, finish_save({std::move(file), util::Fd()}, around, {}).error().kind);
}

}  // namespace
}  // namespace hearth::build
