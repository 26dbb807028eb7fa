#include "http/download.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "fetch/fetch.h"
#include "support/http_server.h"
#include "util/file.h"
#include "util/hash.h"

namespace hearth::http {
namespace {

using testing::HasSubstr;
using testing::Not;

class Http : public testing::Test {
 protected:
  void SetUp() override {
    auto dir = util::TempDir::create(testing::TempDir(), "http-");
    ASSERT_TRUE(dir);
    dir_.emplace(std::move(*dir));
  }
  std::filesystem::path file() const { return dir_->path() / "file"; }
  static constexpr DownloadLimits kLimits{
      .bytes = 1000, .connect = std::chrono::seconds(5), .no_progress = std::chrono::seconds(1)};

  std::optional<util::TempDir> dir_;
};

TEST_F(Http, ContentComesThroughRedirects) {
  test::HttpServer server(test::HttpServer::Answers{{"/a?q=1", test::HttpServer::status(302, "Location: /b\r\n")},
                                                    {"/b", test::HttpServer::status(301, "Location: /c\r\n")},
                                                    {"/c", test::HttpServer::ok("content")}});
  const auto result = download(server.url("/a?q=1"), file(), kLimits, {});
  ASSERT_TRUE(result) << result.error().message;
  EXPECT_EQ(*util::read_file(file()), "content");
}

TEST_F(Http, StatusesTellWhatTheCallerCanDo) {
  std::map<std::string, std::string> answers;
  for (const int code : {401, 403, 404, 408, 410, 418, 429, 500, 503}) {
    answers[fmt::format("/{}", code)] = test::HttpServer::status(code);
  }
  test::HttpServer server(answers);
  const std::pair<int, ErrorKind> expected[] = {
      {401, ErrorKind::denied},      {403, ErrorKind::denied},      {404, ErrorKind::not_found},
      {408, ErrorKind::unavailable}, {410, ErrorKind::not_found},   {418, ErrorKind::invalid},
      {429, ErrorKind::unavailable}, {500, ErrorKind::unavailable}, {503, ErrorKind::unavailable}};
  for (const auto& [code, kind] : expected) {
    const auto result = download(server.url(fmt::format("/{}", code)), file(), kLimits, {});
    ASSERT_FALSE(result);
    EXPECT_EQ(result.error().kind, kind) << code;
    EXPECT_FALSE(std::filesystem::exists(file()));
  }
}

TEST_F(Http, ABodyThatIsCutOffIsUnavailable) {
  test::HttpServer server(test::HttpServer::Answers{{"/x", "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf"}});
  const auto result = download(server.url("/x"), file(), kLimits, {});
  ASSERT_FALSE(result);
  EXPECT_EQ(result.error().kind, ErrorKind::unavailable);
  EXPECT_FALSE(std::filesystem::exists(file()));
}

TEST_F(Http, TooMuchIsInvalidWithAndWithoutAnAnnouncedLength) {
  const std::string body(2000, 'x');
  test::HttpServer server(
      test::HttpServer::Answers{{"/a", test::HttpServer::ok(body)}, {"/b", "HTTP/1.0 200 OK\r\n\r\n" + body}});
  for (const char* path : {"/a", "/b"}) {
    const auto result = download(server.url(path), file(), kLimits, {});
    ASSERT_FALSE(result);
    EXPECT_EQ(result.error().kind, ErrorKind::invalid) << result.error().message;
    EXPECT_THAT(result.error().message, HasSubstr("larger than 1000 bytes"));
  }
}

TEST_F(Http, RedirectsEndAndStayWithHttp) {
  test::HttpServer server(
      test::HttpServer::Answers{{"/loop", test::HttpServer::status(302, "Location: /loop\r\n")},
                                {"/file", test::HttpServer::status(302, "Location: file:///etc/passwd\r\n")}});
  EXPECT_THAT(download(server.url("/loop"), file(), kLimits, {}).error().message, HasSubstr("more than 10 redirects"));
  EXPECT_THAT(download(server.url("/file"), file(), kLimits, {}).error().message,
              HasSubstr("not an http or https URL"));
  EXPECT_EQ(download("file:///etc/passwd", file(), kLimits, {}).error().kind, ErrorKind::invalid);
}

TEST_F(Http, AServerThatStallsIsUnavailable) {
  test::HttpServer server(test::HttpServer::Answers{{"/x", ""}});
  const auto result = download(server.url("/x"), file(), kLimits, {});
  ASSERT_FALSE(result);
  EXPECT_EQ(result.error().kind, ErrorKind::unavailable);
}

TEST_F(Http, AStopEndsADownloadThatWaits) {
  test::HttpServer server(test::HttpServer::Answers{{"/x", ""}});
  std::stop_source source;
  DownloadLimits limits = kLimits;
  limits.no_progress = std::chrono::hours(1);
  const std::jthread stopper([&] { source.request_stop(); });
  const auto result = download(server.url("/x"), file(), limits, source.get_token());
  ASSERT_FALSE(result);
  EXPECT_EQ(result.error().kind, ErrorKind::cancelled);
}

TEST_F(Http, NobodyThereIsUnavailableAndMessagesHoldNoSecret) {
  const auto result = download("http://user:secret@127.0.0.1:1/x?token=secret", file(), kLimits, {});
  ASSERT_FALSE(result);
  EXPECT_EQ(result.error().kind, ErrorKind::unavailable);
  EXPECT_THAT(result.error().message, HasSubstr("http://***@127.0.0.1:1/x"));
  EXPECT_THAT(result.error().message, Not(HasSubstr("secret")));
}

TEST_F(Http, ATarballIsUnpackedWithoutItsSoleFolder) {
  ASSERT_EQ(std::system(fmt::format("cd {} && mkdir -p pack-1.0/bin && echo hi > pack-1.0/bin/detect && "
                                    "tar -czf pack.tgz pack-1.0",
                                    dir_->path().string())
                            .c_str()),
            0);
  const std::string bytes = *util::read_file(dir_->path() / "pack.tgz");
  test::HttpServer server(test::HttpServer::Answers{{"/pack.tgz", test::HttpServer::ok(bytes)},
                                                    {"/bad.tgz", test::HttpServer::ok("nonsense")}});
  const fetch::Reference reference{fetch::Medium::tarball, server.url("/pack.tgz"), ""};
  util::UnpackOptions options;
  options.top_folder = util::TopFolder::strip_if_sole;
  const auto checkout = fetch::fetch_tarball(reference, dir_->path() / "out", options, {});
  ASSERT_TRUE(checkout) << checkout.error().message;
  EXPECT_EQ(checkout->revision, util::sha256(bytes).hex());
  EXPECT_EQ(*util::read_file(dir_->path() / "out/bin/detect"), "hi\n");
  const fetch::Reference bad{fetch::Medium::tarball, server.url("/bad.tgz"), ""};
  EXPECT_FALSE(fetch::fetch_tarball(bad, dir_->path() / "out2", {}, {}));
}

std::string answer(const std::string& headers) {
  return "HTTP/1.1 200 OK\r\n" + headers + "Content-Length: 0\r\n\r\n";
}

TEST_F(Http, TheValidatorIsWhatTheServerCallsTheContent) {
  const std::string tag = "ETag: \"v1\"\r\n";
  const std::string modified = "Last-Modified: Sat, 01 Jun 2024 10:00:00 GMT\r\n";
  const std::string later = "Date: Sat, 01 Jun 2024 10:01:00 GMT\r\n";
  const std::string soon = "Date: Sat, 01 Jun 2024 10:00:59 GMT\r\n";
  const std::string earlier = "Date: Sat, 01 Jun 2024 09:00:00 GMT\r\n";
  test::HttpServer server(test::HttpServer::Answers{{"/tagged", answer(tag + modified + later)},
                                                    {"/moved", test::HttpServer::status(302, "Location: /tagged\r\n")},
                                                    {"/old", answer(modified + later)},
                                                    {"/new", answer(modified + soon)},
                                                    {"/ahead", answer(modified + earlier)},
                                                    {"/undated", answer(modified)},
                                                    {"/odd", answer("Last-Modified: yesterday\r\n" + later)},
                                                    {"/plain", test::HttpServer::ok("")},
                                                    {"/gone", test::HttpServer::status(404)}});
  const auto said = [&](const std::string& path) { return validator(server.url(path), {}, {}).value(); };
  EXPECT_EQ(said("/tagged"), "\"v1\"");
  EXPECT_EQ(said("/moved"), "\"v1\"");
  EXPECT_EQ(said("/old"), "Sat, 01 Jun 2024 10:00:00 GMT");
  for (const char* path : {"/new", "/ahead", "/undated", "/odd", "/plain"}) EXPECT_EQ(said(path), "") << path;
  EXPECT_EQ(validator(server.url("/gone"), {}, {}).error().kind, ErrorKind::not_found);
}

}  // namespace
}  // namespace hearth::http
