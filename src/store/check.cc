#include "store/check.h"

#include <algorithm>
#include <array>
#include <atomic>
#include <functional>
#include <latch>
#include <thread>

#include "util/stop.h"
#include "util/text.h"

namespace hearth::store {

namespace {

using Clock = std::chrono::steady_clock;
using Bytes = std::vector<std::byte>;

// Deleting goes on for this long after a stop request.
constexpr std::chrono::seconds kTidying{60};
constexpr std::size_t kThreads = 16;

// Not compressible, so that no proxy flatters the rates.
Bytes noise(std::size_t size, std::uint64_t seed) {
  Bytes bytes(size);
  for (std::byte& byte : bytes) {
    seed = seed * 6364136223846793005 + 1442695040888963407;
    byte = static_cast<std::byte>(seed >> 56);
  }
  return bytes;
}

std::string seconds_of(Clock::duration duration) {
  return util::human_duration(duration);
}

// Calls `work` for 0 … count-1, several at a time; the first error ends it.
Result<void> for_each_parallel(std::size_t count, std::size_t threads,
                               const std::function<Result<void>(std::size_t)>& work) {
  std::atomic<std::size_t> next = 0;
  std::mutex mutex;
  Result<void> outcome;
  {
    std::vector<std::jthread> workers;
    for (std::size_t i = 0; i < std::min(threads, count); ++i) {
      workers.emplace_back([&] {
        for (std::size_t index = next++; index < count; index = next++) {
          Result<void> done = work(index);
          if (done) continue;
          next = count;
          const std::lock_guard guard(mutex);
          if (outcome) outcome = std::move(done);
        }
      });
    }
  }
  return outcome;
}

class Checker {
 public:
  Checker(ObjectStore& store, const CheckOptions& options, std::stop_token stop)
      : store_(store), options_(options), stop_(std::move(stop)), folder_("hearth-check-" + util::random_hex(8)) {}

  CheckReport run() {
    require("write, read back", &Checker::write_and_read);
    require("ranges", &Checker::ranges);
    require("absent objects", &Checker::absent);
    require("replace", &Checker::replace);
    inform("compare-and-swap", &Checker::conditions);
    inform("checksums", &Checker::checksums);
    if (report_.checksums == Checksums::absent) report_.findings.back().verdict = Verdict::skipped;
    require("list past one page", &Checker::listing);
    inform("latency", &Checker::latency);
    inform("throughput", &Checker::throughput);
    tidy();
    report_.usable = !failed_;
    return std::move(report_);
  }

 private:
  // What a step has to say; an error is what went wrong.
  using Step = Result<std::string> (Checker::*)();

  void require(const std::string& subject, Step step) { take(subject, step, Verdict::failed); }
  void inform(const std::string& subject, Step step) { take(subject, step, Verdict::no); }

  void take(const std::string& subject, Step step, Verdict otherwise) {
    Finding finding{subject, Verdict::skipped, {}};
    if (!failed_) {
      const Result<std::string> said = (this->*step)();
      finding.verdict = said ? Verdict::yes : otherwise;
      finding.detail = said ? *said : said.error().message;
      failed_ = finding.verdict == Verdict::failed;
    }
    report_.findings.push_back(std::move(finding));
  }

  Key key(const std::string& name) const { return Key::parse(folder_ + '/' + name).value(); }

  Result<Version> put(const std::string& name, const Bytes& bytes, const Condition& condition = Condition::none()) {
    Result<Version> put = store_.put(key(name), std::span(bytes), condition, stop_);
    const bool refused = !put && put.error().kind != ErrorKind::unavailable && put.error().kind != ErrorKind::cancelled;
    if (!refused) may_be_there_ = true;
    return put;
  }

  static Result<void> written(Result<Version> put) {
    if (put) return {};
    return std::unexpected(std::move(put).error());
  }

  static Result<void> expect(bool holds, std::string_view what) {
    if (holds) return {};
    return fail(ErrorKind::corrupt, "{}", what);
  }

  Result<std::string> write_and_read() {
    const auto begin = Clock::now();
    TRY(put("small", small_));
    const auto written = Clock::now();
    const Object object = TRY(store_.get(key("small"), {}, stop_));
    const auto read = Clock::now();
    TRY(expect(object.bytes == small_ && object.info.size == small_.size(),
               "it returns other bytes than were written"));
    const ObjectInfo info = TRY(store_.stat(key("small"), stop_));
    TRY(expect(info.size == small_.size() && info.version == object.info.version,
               "it says different things of one object"));
    report_.skew = info.now - std::chrono::floor<std::chrono::seconds>(std::chrono::system_clock::now());
    std::string detail = fmt::format("{}, {}", seconds_of(written - begin), seconds_of(read - written));
    constexpr std::chrono::seconds kTolerated{60};
    if (std::chrono::abs(report_.skew) > kTolerated) {
      detail +=
          fmt::format("; its clock is {} {} of this machine's", util::human_duration(std::chrono::abs(report_.skew)),
                      report_.skew.count() > 0 ? "ahead" : "behind");
    }
    return detail;
  }

  Result<std::string> ranges() {
    const Object middle = TRY(store_.get(key("small"), {100, 200}, stop_));
    TRY(expect(
        std::ranges::equal(middle.bytes, std::span(small_).subspan(100, 200)) && middle.info.size == small_.size(),
        "a part of an object is not that part"));
    const Object end = TRY(store_.get(key("small"), {small_.size() - 10, 1'000'000}, stop_));
    TRY(expect(std::ranges::equal(end.bytes, std::span(small_).last(10)), "the end of an object is not its end"));
    return std::string();
  }

  Result<std::string> absent() {
    const Result<Object> object = store_.get(key("absent"), {}, stop_);
    if (object) return fail(ErrorKind::corrupt, "an object that was never written is there");
    if (object.error().kind != ErrorKind::not_found) return std::unexpected(object.error());
    TRY(within("deleting an absent object", store_.remove(key("absent"), stop_)));
    return std::string();
  }

  Result<std::string> replace() {
    const Bytes other = noise(small_.size() / 2, 7);
    const Version before = TRY(put("replaced", small_));
    const Version after = TRY(put("replaced", other));
    TRY(expect(before != after, "two states of an object have the same version"));
    const Object object = TRY(store_.get(key("replaced"), {}, stop_));
    TRY(expect(object.bytes == other, "an object that was replaced is the old one"));
    TRY(store_.remove(key("replaced"), stop_));
    const Result<ObjectInfo> gone = store_.stat(key("replaced"), stop_);
    TRY(expect(!gone && gone.error().kind == ErrorKind::not_found, "an object that was deleted is still there"));
    return std::string();
  }

  Result<std::string> conditions() {
    Result<std::string> said = raced();
    report_.compare_and_swap = said ? CompareAndSwap::honoured : CompareAndSwap::absent;
    return said;
  }

  Result<std::string> raced() {
    const Version first = TRY(put("condition", small_));
    TRY(refused(put("condition", small_, Condition::if_absent()), "an existing object is overwritten all the same"));
    const Version second = TRY(put("condition", noise(10, 1), Condition::if_version(first)));
    TRY(refused(put("condition", small_, Condition::if_version(first)), "a stale version is taken for the newest"));
    if (store_.compare_and_swap() == CompareAndSwap::absent) {
      return fail(ErrorKind::invalid, "conditional writes are not atomic in this kind of store");
    }
    for (std::size_t round = 0; round < options_.rounds; ++round) {
      const std::string name = fmt::format("race-{}", round);
      TRY(race(name, Condition::if_absent()));
      const ObjectInfo there = TRY(store_.stat(key(name), stop_));
      TRY(race(name, Condition::if_version(there.version)));
    }
    return fmt::format("{} races of {} writers, one winner each", 2 * options_.rounds, options_.racers);
  }

  static Result<void> refused(const Result<Version>& put, std::string_view otherwise) {
    if (put) return fail(ErrorKind::invalid, "{}", otherwise);
    if (put.error().kind == ErrorKind::conflict) return {};
    return std::unexpected(put.error());
  }

  // Exactly one writer may win.
  Result<void> race(const std::string& name, const Condition& condition) {
    std::latch start(static_cast<std::ptrdiff_t>(options_.racers));
    std::vector<Result<Version>> outcomes(options_.racers);
    {
      std::vector<std::jthread> racers;
      for (std::size_t i = 0; i < options_.racers; ++i) {
        racers.emplace_back([&, i] {
          const Bytes own = noise(100, 1000 + i);
          start.arrive_and_wait();
          outcomes[i] = put(name, own, condition);
        });
      }
    }
    std::size_t winners = 0;
    for (const Result<Version>& outcome : outcomes) {
      if (outcome) ++winners;
      if (!outcome && outcome.error().kind != ErrorKind::conflict) return std::unexpected(outcome.error());
    }
    if (winners == 1) return {};
    return fail(ErrorKind::invalid, "of {} writers that raced, {} won", options_.racers, winners);
  }

  Result<std::string> checksums() {
    const Key damaged = key("damaged");
    const Checksums found = TRY(store_.try_checksums(damaged, stop_));
    report_.checksums = found;
    if (found == Checksums::absent) return std::string("nothing travels that could be damaged");
    if (found == Checksums::honoured) return std::string("what does not have its checksum is refused");
    TRY(within("deleting what was damaged", store_.remove(damaged, stop_)));
    return fail(ErrorKind::invalid, "what does not have its checksum is stored all the same");
  }

  Result<std::string> listing() {
    const Bytes one(1);
    const auto name = [](std::size_t index) { return fmt::format("list/{:05}", index); };
    const auto write_one = [&](std::size_t index) { return written(put(name(index), one)); };
    TRY(for_each_parallel(options_.listed, kThreads, write_one));
    const auto begin = Clock::now();
    std::size_t listed = 0;
    bool in_order = true;
    const auto look = [&](const ObjectInfo& info) -> Result<void> {
      in_order = in_order && info.key == key(name(listed)) && info.size == 1;
      ++listed;
      return {};
    };
    TRY(store_.list(Prefix::parse(folder_ + "/list/").value(), look, stop_));
    const std::string found =
        fmt::format("{} of {} objects, {}", listed, options_.listed, seconds_of(Clock::now() - begin));
    if (listed != options_.listed) return fail(ErrorKind::corrupt, "it lists {}", found);
    TRY(expect(in_order, "it does not list objects in the order of their keys"));
    return found;
  }

  Result<std::string> latency() {
    std::vector<Clock::duration> times;
    for (std::size_t i = 0; i < options_.pings; ++i) {
      const auto begin = Clock::now();
      TRY(store_.get(key("small"), {}, stop_));
      times.push_back(Clock::now() - begin);
    }
    std::ranges::sort(times);
    report_.latency = times[times.size() / 2];
    return fmt::format("{} for a small read (median of {}; slowest {})", seconds_of(report_.latency), times.size(),
                       seconds_of(times.back()));
  }

  Result<std::string> throughput() {
    const Bytes large = noise(options_.transfer_bytes, 3);
    const auto name = [](std::size_t index) { return fmt::format("large-{}", index); };
    const auto total = static_cast<double>(options_.transfers * options_.transfer_bytes);
    const auto rate = [&](Clock::time_point begin) {
      return total / std::chrono::duration<double>(Clock::now() - begin).count();
    };
    auto begin = Clock::now();
    const auto write_one = [&](std::size_t index) { return written(put(name(index), large)); };
    TRY(for_each_parallel(options_.transfers, options_.transfers, write_one));
    report_.write_rate = rate(begin);
    begin = Clock::now();
    const auto read_one = [&](std::size_t index) -> Result<void> {
      const Object object = TRY(store_.get(key(name(index)), {}, stop_));
      return expect(object.bytes == large, "a large object comes back different");
    };
    TRY(for_each_parallel(options_.transfers, options_.transfers, read_one));
    report_.read_rate = rate(begin);
    return fmt::format("writes {}/s, reads {}/s ({} × {} at the same time)",
                       util::human_size(static_cast<std::uint64_t>(report_.write_rate)),
                       util::human_size(static_cast<std::uint64_t>(report_.read_rate)), options_.transfers,
                       util::human_size(options_.transfer_bytes));
  }

  // Whatever is there, also of writes whose answer was lost.
  void tidy() {
    const util::StopAfter deadline({}, kTidying);
    std::vector<Key> keys;
    const auto collect = [&](const ObjectInfo& info) -> Result<void> {
      keys.push_back(info.key);
      return {};
    };
    const Prefix own = Prefix::parse(folder_ + '/').value();
    const bool emptied = store_.list(own, collect, deadline.token()) && store_.remove_each(keys, deadline.token());
    if (!emptied && may_be_there_) report_.left_behind = std::max<std::size_t>(keys.size(), 1);
  }

  ObjectStore& store_;
  const CheckOptions options_;
  const std::stop_token stop_;
  const std::string folder_;
  const Bytes small_ = noise(4096, 42);
  bool failed_ = false;
  std::atomic<bool> may_be_there_ = false;  // something that was written
  CheckReport report_;
};

}  // namespace

CheckReport check(ObjectStore& store, const CheckOptions& options, std::stop_token stop) {
  return Checker(store, options, std::move(stop)).run();
}

}  // namespace hearth::store
