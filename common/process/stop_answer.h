// What a process that was asked to stop tells whoever started it, so that one that saves is told
// from one that hangs: that it has heard the request, and then for each piece that it has written
// to a disk. One byte each, to a pipe whose descriptor is in the environment; where it is not,
// nothing. From any thread.
#pragma once

namespace cadre {

// The environment variable: the descriptor of a pipe's end to write to, which does not block.
inline constexpr char kStopPipe[] = "CADRE_STOP_PIPE";

// For ShutdownSignal.
void AnswerStop();

// For what writes files. Does nothing before AnswerStop(), and little if it comes often.
void NoteSaved();

}  // namespace cadre
