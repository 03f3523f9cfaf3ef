#include "rpc/server/acceptor.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <string>
#include <utility>

#include "absl/memory/memory.h"
#include "absl/strings/str_cat.h"
#include "common/process/descriptors.h"
#include "common/process/start_thread.h"
#include "common/status_macros.h"
#include "spdlog/spdlog.h"

namespace cadre {
namespace {

// Nobody says when a descriptor becomes free, so a shortage is looked at so often.
constexpr int kReviewMilliseconds = 200;

// A listener that many connect to must not keep the others waiting.
constexpr int kAtOnce = 64;

// What went wrong on the network before, which accept(2) passes on. With any other error the
// next accept() would most likely fail as well.
bool ConcernsOneConnection(int error) {
  switch (error) {
    case EINTR:
    case ECONNABORTED:
    case ECONNRESET:
    case EHOSTDOWN:
    case EHOSTUNREACH:
    case ENETDOWN:
    case ENETUNREACH:
    case ENONET:
    case ENOPROTOOPT:
    case EPERM:  // A firewall's rule.
    case EPROTO:
    case ETIMEDOUT:
      return true;
    default:
      return false;
  }
}

int OpenSpare() { return open("/dev/null", O_RDONLY | O_CLOEXEC); }

}  // namespace

absl::StatusOr<std::unique_ptr<Acceptor>> Acceptor::Create(std::vector<int> listeners,
                                                           Handlers handlers) {
  const int stop = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
  const int spare = stop < 0 ? -1 : OpenSpare();
  const int error = errno;
  auto acceptor =
      absl::WrapUnique(new Acceptor(std::move(listeners), std::move(handlers), stop, spare));
  if (spare < 0)
    return absl::ResourceExhaustedError(
        absl::StrCat("cannot accept connections: ", std::strerror(error)));
  CADRE_ASSIGN_OR_RETURN(acceptor->thread_,
                         StartThread("accept", [self = acceptor.get()] { self->Run(); }));
  return acceptor;
}

Acceptor::Acceptor(std::vector<int> listeners, Handlers handlers, int stop, int spare)
    : listeners_(std::move(listeners)),
      handlers_(std::move(handlers)),
      stop_(stop),
      spare_(spare) {}

Acceptor::~Acceptor() {
  if (thread_.joinable()) {
    eventfd_write(stop_, 1);
    thread_.join();
  }
  if (spare_ >= 0) close(spare_);
  if (stop_ >= 0) close(stop_);
}

void Acceptor::Run() {
  std::vector<pollfd> polled;
  polled.push_back({.fd = stop_, .events = POLLIN, .revents = 0});
  for (const int listener : listeners_)
    polled.push_back({.fd = listener, .events = POLLIN, .revents = 0});
  while (true) {
    // A listener that cannot be accepted from stays readable.
    const nfds_t watched = exhausted_ ? 1 : polled.size();
    poll(polled.data(), watched, short_ || exhausted_ ? kReviewMilliseconds : -1);
    if (polled[0].revents != 0) return;
    exhausted_ = false;
    if (spare_ < 0) spare_ = OpenSpare();
    for (const int listener : listeners_) AcceptAll(listener);
    if (short_) Review();
  }
}

void Acceptor::AcceptAll(int listener) {
  for (int i = 0; i < kAtOnce; ++i)
    if (!AcceptOne(listener)) return;
}

bool Acceptor::AcceptOne(int listener) {
  const int connection = accept4(listener, nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK);
  if (connection >= 0) {
    HandOver(listener, connection);
    return true;
  }
  switch (errno) {
    case EAGAIN:
      return false;
    case EMFILE:
    case ENFILE:
      return CloseOne(listener);
    case ENOBUFS:
    case ENOMEM:
      if (const int64_t times = Count("memory"); times > 0)
        spdlog::warn("cannot accept a connection: out of memory{}", TimesText(times));
      exhausted_ = true;
      return false;
    default:
      return GoOnAfter(errno);
  }
}

bool Acceptor::GoOnAfter(int error) {
  if (ConcernsOneConnection(error)) return true;
  if (const int64_t times = Count("error"); times > 0)
    spdlog::warn("cannot accept a connection: {}{}", std::strerror(error), TimesText(times));
  exhausted_ = true;
  return false;
}

int64_t Acceptor::Count(absl::string_view kind) {
  return events_.Count(0, kind, std::chrono::steady_clock::now());
}

void Acceptor::HandOver(int listener, int connection) {
  const DescriptorLimits limits = CurrentDescriptorLimits();
  if (connection < limits.first_reserved()) return handlers_.serve(listener, connection);
  NoteShortage();
  ++refused_;
  if (connection < limits.limit - limits.reserve / 2)
    handlers_.refuse(listener, connection);
  else
    close(connection);
}

// With the descriptor that is held back.
bool Acceptor::CloseOne(int listener) {
  NoteShortage();
  if (spare_ >= 0) close(spare_);
  const int connection = accept4(listener, nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK);
  const int error = connection >= 0 ? 0 : errno;
  if (connection >= 0) {
    close(connection);
    ++refused_;
  }
  spare_ = OpenSpare();
  if (spare_ < 0) exhausted_ = true;
  if (error == EAGAIN) return false;  // accept() says that it has no descriptor before that.
  return (error == 0 || GoOnAfter(error)) && !exhausted_;
}

void Acceptor::NoteShortage() {
  calm_ = false;
  if (std::exchange(short_, true)) return;
  absl::Status why = CheckDescriptors();
  // It may have become free again since; the connection is refused all the same.
  if (why.ok()) why = absl::ResourceExhaustedError("out of file descriptors");
  if (const int64_t times = Count("shortage"); times > 0)
    spdlog::warn("{}; connections are refused{}", std::string(why.message()), TimesText(times));
  handlers_.shortage(why);
}

void Acceptor::Review() {
  if (!std::exchange(calm_, true) || !CheckDescriptors().ok()) return;
  short_ = false;
  const int64_t refused = std::exchange(refused_, 0);
  if (const int64_t times = Count("over"); times > 0)
    spdlog::info("there are file descriptors again; {} connections were refused{}", refused,
                 TimesText(times));
  handlers_.shortage(absl::OkStatus());
}

}  // namespace cadre
