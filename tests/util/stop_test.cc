#include "util/stop.h"

#include <future>

namespace hearth::util {
namespace {

using namespace std::chrono_literals;

// Returns once the token has fired.
void wait_for(const std::stop_token& token) {
  std::promise<void> fired;
  const std::stop_callback callback(token, [&] { fired.set_value(); });
  fired.get_future().wait();
}

TEST(StopAfterTest, fires_when_the_time_is_up) {
  const StopAfter stop({}, 1ms);
  wait_for(stop.token());
  EXPECT_TRUE(stop.expired());
}

TEST(StopAfterTest, no_time_at_all_is_up_at_once) {
  for (const std::chrono::nanoseconds limit : {0ns, -5ns, std::chrono::nanoseconds::min()}) {
    const StopAfter stop({}, limit);
    wait_for(stop.token());
    EXPECT_TRUE(stop.expired());
  }
}

TEST(StopAfterTest, fires_with_its_parent) {
  std::stop_source parent;
  const StopAfter stop(parent.get_token(), std::chrono::nanoseconds::max());
  EXPECT_FALSE(stop.token().stop_requested());
  parent.request_stop();
  wait_for(stop.token());
  EXPECT_FALSE(stop.expired());
}

TEST(StopAfterTest, a_parent_that_stopped_before_counts) {
  std::stop_source parent;
  parent.request_stop();
  const StopAfter stop(parent.get_token(), 1h);
  wait_for(stop.token());
  EXPECT_FALSE(stop.expired());
}

TEST(StopAfterTest, its_end_neither_waits_nor_fires) {
  std::stop_token token;
  {
    const StopAfter stop({}, 1h);
    token = stop.token();
  }
  EXPECT_FALSE(token.stop_requested());
}

}  // namespace
}  // namespace hearth::util
