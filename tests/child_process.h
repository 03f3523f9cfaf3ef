// A binary of ours running beside a test, with its stderr on a pipe.
#pragma once

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include <string>
#include <vector>

#include "common/check.h"

namespace cadre {

class ChildProcess {
 public:
  // `command`: the path, then the arguments.
  explicit ChildProcess(std::vector<std::string> command) {
    int ends[2];
    CADRE_CHECK(pipe(ends) == 0);
    std::vector<char*> arguments;
    for (std::string& argument : command) arguments.push_back(argument.data());
    arguments.push_back(nullptr);
    pid_ = fork();
    CADRE_CHECK(pid_ >= 0);
    if (pid_ == 0) {
      dup2(ends[1], STDERR_FILENO);
      close(ends[0]);
      close(ends[1]);
      execv(arguments[0], arguments.data());
      _exit(127);
    }
    close(ends[1]);
    stderr_ = fdopen(ends[0], "r");
  }
  ~ChildProcess() {
    if (pid_ > 0) End(SIGKILL);
    fclose(stderr_);
  }
  ChildProcess(const ChildProcess&) = delete;
  ChildProcess& operator=(const ChildProcess&) = delete;

  // The next line of stderr without its end; empty once the stream has ended.
  std::string ReadLine() {
    char* line = nullptr;
    size_t capacity = 0;
    const ssize_t length = getline(&line, &capacity, stderr_);
    std::string text(line, length > 0 ? static_cast<size_t>(length) - 1 : 0);
    free(line);
    return text;
  }

  pid_t pid() const { return pid_; }

  // Sends `signal` unless it is 0, and waits: the exit status, or -1 if it was killed.
  int End(int signal) {
    if (signal != 0) kill(pid_, signal);
    int status = 0;
    CADRE_CHECK(waitpid(pid_, &status, 0) == pid_);
    pid_ = -1;
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
  }

 private:
  pid_t pid_ = -1;
  FILE* stderr_ = nullptr;
};

}  // namespace cadre
