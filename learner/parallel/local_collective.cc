#include "learner/parallel/local_collective.h"

#include "absl/strings/str_cat.h"
#include "common/check.h"

namespace cadre {

class LocalGroup::Member final : public Collective {
 public:
  Member(LocalGroup* group, int rank) : group_(group), rank_(rank) {}
  ~Member() override { group_->Leave(rank_); }

  int rank() const override { return rank_; }
  int size() const override { return group_->size_; }
  absl::Status Sum(torch::Tensor values) override { return group_->Sum(rank_, values); }

 private:
  LocalGroup* const group_;
  const int rank_;
};

LocalGroup::LocalGroup(int size) : size_(size), waiting_(size) { CADRE_CHECK(size >= 1); }

std::unique_ptr<Collective> LocalGroup::Join(int rank) {
  CADRE_CHECK(rank >= 0 && rank < size_);
  return std::make_unique<Member>(this, rank);
}

absl::Status LocalGroup::Sum(int rank, const torch::Tensor& values) {
  CADRE_CHECK(values.is_contiguous());
  absl::MutexLock lock(&mutex_);
  if (gone_ >= 0) return Gone();
  const int64_t round = rounds_;
  waiting_[rank] = values;
  if (++arrived_ == size_) {
    AddUp();
    return absl::OkStatus();
  }
  const auto over = [this, round]() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
    return rounds_ > round || gone_ >= 0;
  };
  mutex_.Await(absl::Condition(&over));
  if (rounds_ > round) return absl::OkStatus();
  waiting_[rank] = torch::Tensor();
  return Gone();
}

void LocalGroup::AddUp() {
  torch::Tensor total = waiting_[0].clone();
  for (int rank = 1; rank < size_; ++rank) {
    CADRE_CHECK(waiting_[rank].sizes() == total.sizes() && waiting_[rank].dtype() == total.dtype());
    total.add_(waiting_[rank].to(total.device()));
  }
  for (torch::Tensor& values : waiting_) {
    values.copy_(total);
    values = torch::Tensor();
  }
  arrived_ = 0;
  ++rounds_;
}

void LocalGroup::Leave(int rank) {
  absl::MutexLock lock(&mutex_);
  if (gone_ < 0) gone_ = rank;
}

absl::Status LocalGroup::Gone() const {
  return absl::UnavailableError(
      absl::StrCat("learner ", gone_, " of ", size_, " has left; the others cannot go on"));
}

}  // namespace cadre
