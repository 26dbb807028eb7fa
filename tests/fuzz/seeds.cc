#include "fuzz/seeds.h"

#include <functional>
#include <nlohmann/json.hpp>

#include "cache/format/bytes.h"
#include "cache/format/compression.h"
#include "cache/format/manifest_frame.h"
#include "cache/format_samples.h"
#include "cache/tree/index.h"
#include "fuzz/fuzz.h"
#include "fuzz/manifest_expectations.h"
#include "util/file.h"

namespace hearth::fuzz {

namespace {

using namespace std::string_literals;
using namespace std::string_view_literals;
using Seeds = std::map<std::string, std::string>;
namespace sample = cache::sample;

std::string text(Bytes bytes) {
  return std::string(text_of(bytes));
}

// What take_number() reads.
std::string number(std::size_t value) {
  return {static_cast<char>(value >> 8 & 0xff), static_cast<char>(value & 0xff)};
}

std::vector<std::byte> full(const cache::Manifest& manifest) {
  return cache::encode_manifest(manifest).value();
}

std::vector<std::byte> delta() {
  return cache::encode_delta(sample::changed_manifest(), delta_base(), delta_base_digest()).value();
}

std::string body(const std::vector<std::byte>& object) {
  const cache::Frame frame = cache::unseal(object).value();
  return text(cache::decompress(frame.body, frame.body_bytes).value());
}

// A header of a tar (POSIX ustar), and its content.
std::string tar_entry(const std::string& path, char type, const std::string& target, const std::string& content) {
  std::string header = path;
  header.resize(100);
  header += fmt::format("0000644\0{0}{0}{1:011o}\0{2:011o}\0"sv, "0001750\0"sv, content.size(), 0);
  header += std::string(8, ' ') + type + target;
  header.resize(257);
  header += "ustar\00000"sv;
  header.resize(512);
  unsigned sum = 0;
  for (const char byte : header) sum += static_cast<unsigned char>(byte);
  header.replace(148, 8, fmt::format("{:06o}\0 "sv, sum));
  std::string padded = content;
  padded.resize((content.size() + 511) / 512 * 512);
  return header + padded;
}

Seeds archives() {
  const std::string end(1024, '\0');
  const std::string tar = tar_entry("a/", '5', "", "") + tar_entry("a/file", '0', "", "content\n") +
                          tar_entry("a/link", '2', "../../beside", "") + tar_entry("a/twin", '1', "a/file", "") + end;
  const std::string through = tar_entry("l", '2', "..", "") + tar_entry("l/beside", '0', "", "x") + end;
  const std::string out = tar_entry("../beside", '0', "", "x") + end;
  return {{"out", 'a' + out},
          {"packed", 'a' + text(cache::compress(cache::as_bytes(tar), 3).value())},
          {"stripped", 'b' + tar},
          {"tar", 'a' + tar},
          {"through", 'a' + through}};
}

Seeds config_vars() {
  return {{"lines", "# c\nexport A=\"hunter2hunter2\"\r\nB='x y z 1234'\nA.b-c=12345678"},
          {"masked", "A=hunter2hunter2\nB=unter2hu\nBUILDPACK_URL=https://user:pass1234@h/x"s + '\0' +
                         "x hunter2hunter2hunter2 y pass1234\n"}};
}

Seeds heads() {
  return {{"empty", cache::encode_head(sample::empty_head())}, {"sample", cache::encode_head(sample::head())}};
}

Seeds manifests() {
  return {{"changed", text(full(sample::changed_manifest()))},
          {"delta", text(delta())},
          {"empty", text(full({}))},
          {"inline", text(full(sample::inline_manifest()))},
          {"sample", text(full(sample::manifest()))}};
}

Seeds manifest_bodies() {
  const cache::Manifest inside = sample::inline_manifest();
  return {{"changed", number(0) + body(full(sample::changed_manifest()))},
          {"empty", number(0) + body(full({}))},
          {"inline", number(inside.inline_bytes.size()) + body(full(inside)) + text(inside.inline_bytes)},
          {"sample", number(0) + body(full(sample::manifest()))}};
}

Seeds pack_tails() {
  const std::vector<std::byte> pack = sample::pack();
  const std::size_t tail = cache::tail_bytes(Bytes(pack).last(cache::kPackFooterBytes), pack.size()).value();
  const std::size_t before = pack.size() - tail;
  const Bytes trailer = Bytes(pack).subspan(before, tail - cache::kPackFooterBytes);
  return {{"sample", number(before >> 16) + number(before & 0xffff) + text(trailer)}};
}

Seeds blocks() {
  const std::vector<std::byte> raw(500, std::byte{'x'});
  const std::string packed = text(cache::compress(raw, 3).value());
  return {{"packed", number(1) + number(250) + packed},
          {"stored", number(0) + number(0) + text(sample::noise(100, 1))},
          {"wrong-size", number(1) + number(251) + packed}};
}

std::string index_file(const cache::Index& index) {
  const auto folder = util::TempDir::create(std::filesystem::temp_directory_path(), "hearth-seed-").value();
  const std::filesystem::path path = folder.path() / "index";
  return cache::write_index(path, index) ? util::read_file(path).value() : "";
}

Seeds indexes() {
  cache::Index index{.store = "memory://",
                     .head = "apps/demo/cache/HEAD.heroku-24-amd64",
                     .epoch = sample::id('e'),
                     .generation = sample::id('a'),
                     .probe = 1'577'836'800'123'456'789,
                     .directory = {.device = 1, .inode = 2, .born = 3},
                     .damaged = {{sample::id('e'), cache::ObjectKind::pack, sample::id('9'), 11}},
                     .files = {},
                     .manifest = full(sample::inline_manifest())};
  index.files = {{.device = 1, .inode = 9, .size = 100, .mtime = -5, .ctime = 7, .mode = 0100644}, {}};
  return {{"empty", index_file({})}, {"sample", index_file(index)}};
}

Seeds names() {
  const std::string manifest = sample::id('e') + "/manifest/" + sample::id('a');
  const std::string pack = sample::id('e') + "/pack/" + sample::id('a') + "-4294967295";
  return {{"encoded", "d%C3%A9mo%2F"},
          {"head", "b\nheroku-24\namd64\napps/b/cache/HEAD.heroku-24-amd64"},
          {"key", "apps/demo/cache/data.heroku-24-amd64/" + pack},
          {"layout", "..\n.\na_1\n" + manifest},
          {"manifest", manifest},
          {"pack", pack}};
}

Seeds lists() {
  return {{"app-json", R"({"buildpacks":[{"url":"https://example.com/a.git#v1"},"heroku/node"],)"
                       R"("environments":{"test":{"buildpacks":[{"url":"b"}],"env":{"A":"1","B":{"value":"2"}},)"
                       R"("scripts":{"test-setup":"x","test":"y"}}},"env":{"C":{"generator":"secret"}},"scripts":{}})"},
          {"dot-buildpacks", "# first\r\nhttps://example.com/a.git#v1\n\n./local # comment\n"},
          {"project-toml",
           "[[io.buildpacks.group]]\nuri = \"https://example.com/a\"\n[[build.buildpacks]]\nid = \"x/y\"\n"
           "[_]\nschema-version = \"0.2\"\nx = 1979-05-27T07:32:00Z\ny = [1, 0x2, 1e3, inf, '''z''']\n"}};
}

Seeds procfiles() {
  return {{"procfile", "web: bin/web -p $PORT\r\nworker-1: \"sleep\" 'x' # \\\n# no: process\nnull: true\n-a: b\n"},
          {"release",
           "---\naddons: [a, b]\nconfig_vars:\n  A: &x 1\n  B: *x\n  C: ~\ndefault_process_types: {web: \"a "
           "\\x41\", w: |\n  b\n}\n"},
          {"report", "{\"a\": 1, \"b\": [2], \"c\": \"\\u00e9\"}"}};
}

Seeds ignores() {
  const std::string rules = "# comment\n*.o\n/build/\n**/node_modules/**\na[!b-d]?[]x]\\ \nfoo/**/bar\n";
  return {{"deep", rules + '\0' + "foo/x/y/bar"}, {"name", rules + '\0' + "dir/a.o"}, {"class", rules + '\0' + "aex "}};
}

Seeds references() {
  return {{"directory", "./packs/mine#x"},
          {"file", "file:///srv/pack#v1"},
          {"https", "https://user:p@ss@example.com:443/a/b.git#v1.2"},
          {"scp", "git@example.com:a/b.git#main"},
          {"tarball", "http://example.com/a.tar.gz?x=1"}};
}

Seeds quantities() {
  return {{"duration", "1h30m5.5s250ms"}, {"number", "90"}, {"size", "2.5GiB"}, {"small", " 64kB "}};
}

Seeds azure_answers() {
  return {{"list",
           "\xef\xbb\xbf<?xml version=\"1.0\" encoding=\"utf-8\"?><EnumerationResults "
           "ContainerName=\"box\"><Blobs><Blob><Name>"
           "a/b.0!</Name><Properties><Last-Modified>Sat, 01 Jun 2024 10:00:00 GMT</Last-Modified><Etag>0x1</Etag>"
           "<Content-Length>5</Content-Length></Properties></Blob><Blob><Name Encoded=\"true\">%2F</Name><Properties>"
           "<ResourceType>directory</ResourceType></Properties></Blob></Blobs><NextMarker>m</NextMarker>"
           "</EnumerationResults>"},
          {"error", "<?xml version=\"1.0\"?><Error><Code>ServerBusy</Code><Message>m</Message></Error>"},
          {"connection",
           "DefaultEndpointsProtocol=https;AccountName=a;AccountKey=a2V5;EndpointSuffix=core.windows.net;"
           "BlobEndpoint=https://h/?sv=1&sig=s"},
          {"names", "x./y[5B~7E.0 .\\"}};
}

Seeds gcs_answers() {
  return {{"list",
           R"({"items": [{"name": "a/b", "size": "5", "generation": "7", "timeCreated": "2024-06-01T10:00:00.123Z", )"
           R"("crc32c": "mnG7TA=="}], "nextPageToken": "t"})"},
          {"object", R"({"name": "a", "size": 5, "generation": 7, "timeCreated": "2024-06-01T10:00:00Z"})"},
          {"error", R"({"error": {"code": 412, "message": "m", "errors": [{"reason": "conditionNotMet"}]}})"},
          {"token", R"({"access_token": "ya29.a", "expires_in": 3599})"},
          {"impersonated", R"({"accessToken": "a", "expireTime": "2030-01-01T00:00:00Z"})"},
          {"hash", R"(mnG7TA==)"}};
}

Seeds s3_answers() {
  return {
      {"list",
       "<?xml version=\"1.0\" "
       "encoding=\"UTF-8\"?><ListBucketResult><EncodingType>url</EncodingType><Contents><Key>a%2Fb+c"
       "</Key><LastModified>2024-06-01T10:00:00.000Z</LastModified><ETag>&quot;e&quot;</ETag><Size>5</Size></Contents>"
       "<IsTruncated>true</IsTruncated><NextContinuationToken>t</NextContinuationToken></ListBucketResult>"},
      {"error", "<Error><Code>SlowDown</Code><Region>eu-west-1</Region><RequestId>1</RequestId></Error>"},
      {"begun", "<InitiateMultipartUploadResult><UploadId>u</UploadId></InitiateMultipartUploadResult>"},
      {"completed", "<CompleteMultipartUploadResult><ETag>\"e-2\"</ETag></CompleteMultipartUploadResult>"},
      {"deleted", "<DeleteResult><Error><Key>a</Key><Code>AccessDenied</Code></Error></DeleteResult>"},
      {"date", "Sun, 06 Nov 1994 08:49:37 GMT"},
      {"range", "bytes 5-9/123"}};
}

Seeds swift_answers() {
  return {
      {"list",
       R"([{"name":"pre/a","hash":"d41d8cd98f00b204e9800998ecf8427e","bytes":5,"content_type":"application/octet-stream",)"
       R"("last_modified":"2024-06-01T10:00:01.5","slo_etag":"\"e0\""}])"},
      {"info", R"({"swift":{"max_file_size":5368709122},"slo":{"max_manifest_segments":1000},)"
               R"("bulk_delete":{"max_deletes_per_request":10000}})"},
      {"deleted", R"({"Response Status":"400 Bad Request","Errors":[["/c/a","403 Forbidden"]]})"},
      {"v2",
       R"({"access":{"token":{"id":"t","expires":"2014-01-31T15:30:58Z"},"serviceCatalog":[{"type":"object-store",)"
       R"("endpoints":[{"region":"one","publicURL":"https://s/v1/x"}]}]}})"},
      {"v3", R"({"token":{"expires_at":"2015-11-07T01:58:43.5Z","catalog":[{"type":"object-store","endpoints":)"
             R"([{"interface":"public","region_id":"one","url":"https://s/v1/x"}]}]}})"},
      {"url", "https://s/v1/AUTH_x/"},
      {"seconds", "86400"}};
}

Seeds store_urls() {
  return {{"s3", "s3://bucket/a/b%20c?region=eu-west-1&path-style=true&connect-timeout=2s&transfers=7"},
          {"bare", "gs://bucket"},
          {"userinfo", "swift://user:secret@container/x#y"}};
}

constexpr const char* kHistory =
    R"({"version":1,"builds":[{"build":"20260131T120000Z-00","stack":"heroku-24","arch":"amd64","outcome":"succeeded",)"
    R"("source_version":"abc","restore":{"outcome":"hit","generation":"00000000000000aa","seconds":1.5,"waited":0.25,)"
    R"("bytes":1000,"fetched_bytes":10},"compile":{"cache":"warm","seconds":7.125},"retry":"not-run",)"
    R"("save":{"outcome":"saved","generation":"00000000000000bb","seconds":2,"uploaded_bytes":20}}]})";

Seeds histories() {
  return {{"empty", R"({"version":1,"builds":[]})"}, {"later", R"({"version":2})"}, {"sample", kHistory}};
}

Seeds save_jobs() {
  nlohmann::json job = nlohmann::json::parse(
      R"({"version":1,"store_url":"s3://bucket/a","store_options":{"insecure":true,"transfers":8,"stall":10000,)"
      R"("tier":{"directory":"/var/cache/tier","bytes":123}},"app":"demo","build":"20260131T120000Z-00",)"
      R"("work_root":"/srv","work_path":"/srv/apps/demo/0","request":{"app":"demo","stack":"heroku-24","arch":"amd64",)"
      R"("threads":0,"transfers":8,"level":3,"max_bytes":9000,"exclude":"*.log","failed":false,"culprit":"",)"
      R"("deadline":120000,"stall":10000},"has_records":true,"report":"{}","log":"x\n","secrets":["hunter2hunter2"],)"
      R"("build_started":5,"keep_caches":77,"is_remembered":true})");
  job["past"] = kHistory;
  const auto bytes = nlohmann::json::to_cbor(job);
  return {{"sample", {bytes.begin(), bytes.end()}}};
}

Seeds settings() {
  return {{"sample",
           "store = \"s3://builds\"\ncreate-store = true\nport = 5_001\n\n[build]\n"
           "buildpack = ['one', \"two\"]\nenv = [\"A=\\u00e9\"]\n[environment]\nAWS_REGION = \"eu\"\n"},
          {"refused", "[cache-save]\ncompression-level = 1.5\na.b = 1979-05-27\n[environment]\nHEARTH_X = \"y\"\n"}};
}

}  // namespace

std::map<std::string, std::string> seeds(const std::string& target) {
  static const std::map<std::string, std::function<Seeds()>> makers = {
      {"archive", archives},
      {"azure_answers", azure_answers},
      {"block", blocks},
      {"config_vars", config_vars},
      {"gcs_answers", gcs_answers},
      {"head", heads},
      {"history", histories},
      {"ignore", ignores},
      {"index", indexes},
      {"lists", lists},
      {"manifest", manifests},
      {"manifest_body", manifest_bodies},
      {"manifest_delta", [] { return Seeds{{"changed", body(delta())}}; }},
      {"names", names},
      {"pack", [] { return Seeds{{"sample", text(sample::pack())}}; }},
      {"pack_tail", pack_tails},
      {"procfile", procfiles},
      {"quantities", quantities},
      {"reference", references},
      {"s3_answers", s3_answers},
      {"save_job", save_jobs},
      {"settings", settings},
      {"store_url", store_urls},
      {"swift_answers", swift_answers}};
  const auto maker = makers.find(target);
  return maker == makers.end() ? Seeds() : maker->second();
}

}  // namespace hearth::fuzz
