#include <dirent.h>
#include <fcntl.h>
#include <unistd.h>

#include <atomic>
#include <condition_variable>
#include <mutex>
#include <thread>

#include "limits/tree.h"
#include "util/file.h"

namespace hearth::bench {

namespace {

// Directories that wait for a thread, and how many threads may still add some.
class Queue {
 public:
  void push(std::string directory) {
    const std::lock_guard lock(mutex_);
    waiting_.push_back(std::move(directory));
    changed_.notify_one();
  }

  // False once there is nothing left, and nobody who could add anything.
  bool pop(std::string& directory) {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [&] { return !waiting_.empty() || busy_ == 0; });
    if (waiting_.empty()) return false;
    directory = std::move(waiting_.back());
    waiting_.pop_back();
    ++busy_;
    return true;
  }

  void done() {
    const std::lock_guard lock(mutex_);
    if (--busy_ == 0) changed_.notify_all();
  }

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  std::vector<std::string> waiting_;
  unsigned busy_ = 0;
};

Result<void> list(int root, const std::string& directory, Queue& queue, std::vector<Node>& found) {
  const int fd = ::openat(root, directory.empty() ? "." : directory.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (fd < 0) return fail_errno(errno, directory);
  DIR* stream = ::fdopendir(fd);
  while (const dirent* entry = ::readdir(stream)) {
    const std::string_view name = entry->d_name;
    if (name == "." || name == "..") continue;
    Node node{.path = directory.empty() ? std::string(name) : fmt::format("{}/{}", directory, name)};
    if (::fstatat(fd, entry->d_name, &node.status, AT_SYMLINK_NOFOLLOW) != 0) continue;
    if (S_ISDIR(node.status.st_mode)) queue.push(node.path);
    found.push_back(std::move(node));
  }
  ::closedir(stream);
  return {};
}

}  // namespace

Result<std::vector<Node>> walk(const std::filesystem::path& root) {
  const util::Fd fd = TRY(util::open_file(root, O_PATH | O_DIRECTORY));
  Queue queue;
  queue.push("");
  std::vector<std::vector<Node>> found(std::thread::hardware_concurrency());
  std::vector<Result<void>> results(found.size());
  {
    std::vector<std::jthread> threads;
    for (std::size_t i = 0; i < found.size(); ++i) {
      threads.emplace_back([&, i] {
        std::string directory;
        while (queue.pop(directory)) {
          if (Result<void> listed = list(fd.get(), directory, queue, found[i]); !listed) results[i] = listed;
          queue.done();
        }
      });
    }
  }
  std::vector<Node> nodes;
  for (std::size_t i = 0; i < found.size(); ++i) {
    TRY(results[i]);
    nodes.insert(nodes.end(), std::make_move_iterator(found[i].begin()), std::make_move_iterator(found[i].end()));
  }
  return nodes;
}

Result<void> for_each(std::size_t count, const std::function<Result<void>(std::size_t)>& work) {
  constexpr std::size_t kChunk = 16;
  std::atomic<std::size_t> next = 0;
  std::vector<Result<void>> results(std::thread::hardware_concurrency());
  {
    std::vector<std::jthread> threads;
    for (Result<void>& result : results) {
      threads.emplace_back([&] {
        for (std::size_t begin = next.fetch_add(kChunk); begin < count && result; begin = next.fetch_add(kChunk)) {
          for (std::size_t i = begin; i < std::min(begin + kChunk, count) && result; ++i) result = work(i);
        }
      });
    }
  }
  for (const Result<void>& result : results) TRY(result);
  return {};
}

}  // namespace hearth::bench
