#include "cli/exit_code.h"

#include <gtest/gtest.h>

#include <csignal>

namespace hearth::cli {
namespace {

TEST(ExitCodes, AreAsDocumented) {
  using build::FailureClass;
  EXPECT_EQ(exit_code(FailureClass::app, 0), 1);
  EXPECT_EQ(exit_code(FailureClass::usage, 0), 2);
  EXPECT_EQ(exit_code(FailureClass::no_buildpack, 0), 3);
  EXPECT_EQ(exit_code(FailureClass::source, 0), 4);
  EXPECT_EQ(exit_code(FailureClass::store, 0), 5);
  EXPECT_EQ(exit_code(FailureClass::internal, 0), 70);
  EXPECT_EQ(exit_code(FailureClass::deadline, 0), 124);
  EXPECT_EQ(exit_code(FailureClass::interrupted, SIGINT), 130);
  EXPECT_EQ(exit_code(FailureClass::interrupted, SIGTERM), 143);
}

TEST(ExitCodes, OfErrorsThatEndACacheCommand) {
  EXPECT_EQ(exit_code(ErrorKind::invalid, 0), 2);
  EXPECT_EQ(exit_code(ErrorKind::not_found, 0), 4);
  EXPECT_EQ(exit_code(ErrorKind::unavailable, 0), 5);
  EXPECT_EQ(exit_code(ErrorKind::cancelled, 0), 124) << "a deadline";
  EXPECT_EQ(exit_code(ErrorKind::cancelled, SIGINT), 130) << "a signal";
  EXPECT_EQ(exit_code(ErrorKind::io, 0), 70);
}

}  // namespace
}  // namespace hearth::cli
