#include "buildpack/environment.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "util/file.h"

namespace hearth::buildpack {
namespace {

using testing::Contains;
using testing::ElementsAre;
using testing::Pair;

const EnvironmentRequest kRequest = {.home = "/app",
                                     .tmp = "/tmp",
                                     .stack = "heroku-24",
                                     .request_id = "b1",
                                     .source_version = "abc",
                                     .host = {{"AWS_SECRET_ACCESS_KEY", "no"},
                                              {"GEM_TOKEN", "yes"},
                                              {"HOME", "/root"},
                                              {"PATH", "/evil"},
                                              {"https_proxy", "http://p:3128"},
                                              {"NO_PROXY", "x"},
                                              {"SSL_CERT_FILE", "/none.pem"}},
                                     .pass_through = {"GEM_TOKEN", "NOT_SET"}};

TEST(Environment, IsTheDocumentedOneAndNothingElse) {
  EXPECT_THAT(base_environment(kRequest),
              ElementsAre(Pair("APP_DIR", "/app"), Pair("CURL_CONNECT_TIMEOUT", "30"), Pair("CURL_TIMEOUT", "180"),
                          Pair("GEM_TOKEN", "yes"), Pair("GIT_TERMINAL_PROMPT", "0"), Pair("HOME", "/app"),
                          Pair("LANG", "C.UTF-8"), Pair("LOGNAME", "hearth"), Pair("NO_PROXY", "x"),
                          Pair("PATH", "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"),
                          Pair("REQUEST_ID", "b1"), Pair("SHELL", "/bin/bash"), Pair("SOURCE_VERSION", "abc"),
                          Pair("SSL_CERT_FILE", "/none.pem"), Pair("STACK", "heroku-24"), Pair("TERM", "dumb"),
                          Pair("TMPDIR", "/tmp"), Pair("USER", "hearth"), Pair("https_proxy", "http://p:3128")));
}

TEST(Environment, PassedNamesReplaceOurs) {
  EnvironmentRequest request = kRequest;
  request.pass_through = {"PATH"};
  EXPECT_THAT(base_environment(request), Contains(Pair("PATH", "/evil")));
}

TEST(Environment, NamesTheCertificatesThatMustBeShown) {
  auto dir = util::TempDir::create(testing::TempDir(), "ca-");
  ASSERT_TRUE(dir);
  const auto file = dir->path() / "ca.pem";
  ASSERT_TRUE(util::write_file(file, "x"));
  EXPECT_THAT(certificate_paths({{"CURL_CA_BUNDLE", file.string()},
                                 {"OTHER", file.string()},
                                 {"PIP_CERT", "relative.pem"},
                                 {"REQUESTS_CA_BUNDLE", "/none.pem"},
                                 {"SSL_CERT_DIR", dir->path().string()},
                                 {"SSL_CERT_FILE", file.string()}}),
              ElementsAre(file, dir->path()));
}

}  // namespace
}  // namespace hearth::buildpack
