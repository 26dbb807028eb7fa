// What this process asks of the file system, as it asks for it. Linking this in puts these functions before those of
// the C library, in all of the process.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>

namespace hearth::support {

struct FileCall {
  enum class Kind {
    open,
    look,  // fstatat
    write,
    resize,
    sync,
    times,
    attributes,  // mode, owner
    rename,
    link,
    symlink,
    make_directory,
    remove,
    remove_directory,
  };
  Kind kind = Kind::open;
  std::filesystem::path path;  // absolute; of a descriptor: where its file lies now
  std::filesystem::path to;    // rename, link: the new name
  int fd = -1;                 // of those that take a descriptor, and of an open that is done
  bool creates = false;        // open: with O_CREAT
  std::uint64_t offset = 0;    // write
  std::string_view bytes;      // write; valid during the call
  std::int64_t size = 0;       // resize
};

// Is told of the calls by which files below `root` are looked at, opened or changed, one at a time, in the order in
// which they happen, in the thread that makes them, from construction to destruction. Its own calls are not told. One
// at a time exists in a process.
class FileCallListener {
 public:
  explicit FileCallListener(std::filesystem::path root);
  virtual ~FileCallListener();
  FileCallListener(const FileCallListener&) = delete;
  FileCallListener& operator=(const FileCallListener&) = delete;

  const std::filesystem::path& root() const { return root_; }
  virtual void before(const FileCall& call) { static_cast<void>(call); }
  // Only where it was successful.
  virtual void after(const FileCall& call) { static_cast<void>(call); }

  // Whether the call changes anything; a look, an open that creates nothing, and a sync do not.
  static bool changes(const FileCall& call) {
    return call.kind != FileCall::Kind::sync && call.kind != FileCall::Kind::look &&
           (call.kind != FileCall::Kind::open || call.creates);
  }

 private:
  const std::filesystem::path root_;
};

}  // namespace hearth::support
