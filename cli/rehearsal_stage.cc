#include "cli/rehearsal_stage.h"

#include <ctime>
#include <filesystem>
#include <system_error>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "actor/experience_target.h"
#include "actor/step_recorder.h"
#include "cli/embedded_experience.h"
#include "cli/supervised_process.h"
#include "common/config/config.h"
#include "common/config/replay_config.h"
#include "common/config/run_topology.h"
#include "common/files/file_io.h"
#include "common/process/stop_link.h"
#include "common/status_macros.h"
#include "param_server/local_ports.h"
#include "param_server/parameter_store.h"
#include "rpc/client/experience_client.h"
#include "rpc/client/gradient_client.h"
#include "rpc/client/parameter_client.h"
#include "rpc/client/parameter_fetch.h"
#include "rpc/client/replay_source.h"
#include "rpc/server/free_port.h"

namespace cadre {
namespace {

constexpr char kRunId[] = "rehearsal";
constexpr absl::Duration kPatience = absl::Seconds(20);
constexpr absl::Duration kKillAfter = absl::Seconds(2);

class EmbeddedStage final : public RehearsalStage {
 public:
  EmbeddedStage(const ExperimentConfig& config, std::unique_ptr<EmbeddedExperience> experience)
      : config_(config),
        experience_(std::move(experience)),
        store_("embedded"),
        sink_(&store_),
        gradients_(&store_) {}

  absl::StatusOr<std::unique_ptr<ExperienceSink>> MakeSink(int32_t index) override {
    return experience_->MakeSink(index);
  }
  absl::StatusOr<std::unique_ptr<ParameterSource>> MakeParameterSource() override {
    return std::make_unique<StoreSource>(&store_, ActingModelName(config_, 0));
  }
  ExperiencePorts ports() override {
    ExperiencePorts ports = experience_->ports(0);
    if (PushesGradients(config_)) ports.gradients = &gradients_;
    return ports;
  }
  ParameterSink* parameter_sink() override { return &sink_; }
  void Close() override {
    store_.Close();
    experience_->Close();
  }

 private:
  const ExperimentConfig config_;
  const std::unique_ptr<EmbeddedExperience> experience_;
  ParameterStore store_;
  StoreSink sink_;
  LocalGradientSink gradients_;
};

// CPU seconds of a process so far.
double ProcessSeconds(const SupervisedProcess& process) {
  clockid_t clock;
  timespec time{};
  if (const pid_t pid = process.pid(); pid == 0 || clock_getcpuclockid(pid, &clock) != 0) return 0;
  if (clock_gettime(clock, &time) != 0) return 0;
  return static_cast<double>(time.tv_sec) + 1e-9 * static_cast<double>(time.tv_nsec);
}

class ProcessesStage final : public RehearsalStage {
 public:
  ProcessesStage(const ExperimentConfig& config, const EnvironmentSpec& environment)
      : config_(config),
        environment_(environment),
        spec_(RecordedSpec(config, environment.observation, environment.action)) {}

  absl::Status Start(const std::string& folder, ShutdownSignal& shutdown);

  absl::StatusOr<std::unique_ptr<ExperienceSink>> MakeSink(int32_t index) override;
  absl::StatusOr<std::unique_ptr<ParameterSource>> MakeParameterSource() override {
    return RemoteParameterSource::Create(ParameterOptions(ActingModelName(config_, 0)));
  }
  ExperiencePorts ports() override {
    return {.queue = queue_.get(), .replay = replay_.get(), .gradients = gradients_.get()};
  }
  ParameterSink* parameter_sink() override { return sink_.get(); }

  double replay_server_seconds() const override { return ProcessSeconds(*replay_server_); }
  double parameter_server_seconds() const override { return ProcessSeconds(*parameter_server_); }

  void Close() override {
    ports().Close();
    if (gradients_ != nullptr) gradients_->Close();
    sink_->Close();
  }

 private:
  absl::Status StartServers(const std::string& folder);
  absl::Status Connect();
  ParameterClientOptions ParameterOptions(std::string model) const {
    ParameterClientOptions options;
    options.address = parameter_address_;
    options.run_id = kRunId;
    options.model = std::move(model);
    return options;
  }
  template <typename Options>
  void Fill(Options& options, std::string name) const {
    options.run_id = kRunId;
    options.spec = spec_;
    options.name = std::move(name);
    options.outage.connect_timeout = kPatience;
  }

  const ExperimentConfig config_;
  const EnvironmentSpec environment_;
  const v1::ExperienceSpec spec_;
  std::string replay_address_, parameter_address_;  // Constant after Start().
  std::unique_ptr<SupervisedProcess> replay_server_, parameter_server_;
  std::unique_ptr<ExperienceSource> queue_;
  std::unique_ptr<ReplaySource> replay_;
  std::unique_ptr<GradientSink> gradients_;
  std::unique_ptr<ParameterSink> sink_;
};

absl::Status ProcessesStage::StartServers(const std::string& folder) {
  std::error_code error;
  const std::filesystem::path self = std::filesystem::read_symlink("/proc/self/exe", error);
  if (error) return absl::InternalError("cannot tell where this program's binaries are");
  const std::string config_path = absl::StrCat(folder, "/config.textproto");
  CADRE_RETURN_IF_ERROR(WriteFileAtomically(config_path, ConfigText(config_)));
  CADRE_ASSIGN_OR_RETURN(const std::vector<int> ports, FreeLoopbackPorts(2));
  replay_address_ = absl::StrCat("127.0.0.1:", ports[0]);
  parameter_address_ = absl::StrCat("127.0.0.1:", ports[1]);
  const auto start = [&](const std::string& program, std::vector<std::string> arguments) {
    SupervisedProcess::Options options;
    options.name = program;
    options.command = {absl::StrCat(self.parent_path().string(), "/", program), "--run_id", kRunId};
    options.command.insert(options.command.end(), arguments.begin(), arguments.end());
    options.log_path = absl::StrCat(folder, "/", program, ".log");
    options.kill_after = kKillAfter;  // There is nothing to save.
    auto process = std::make_unique<SupervisedProcess>(std::move(options));
    process->Start();
    return process;
  };
  replay_server_ =
      start("cadre_replay_server", {"--address", replay_address_, "--config", config_path});
  parameter_server_ = start("cadre_param_server", {"--address", parameter_address_});
  return absl::OkStatus();
}

absl::Status ProcessesStage::Connect() {
  CADRE_ASSIGN_OR_RETURN(sink_, RemoteParameterSink::Create(ParameterOptions(ModelName(config_))));
  if (PushesGradients(config_)) {
    GradientClientOptions options;
    options.address = parameter_address_;
    options.run_id = kRunId;
    CADRE_ASSIGN_OR_RETURN(gradients_, RemoteGradientSink::Create(options));
  }
  if (UsesReplay(config_)) {
    ReplaySourceOptions options;
    Fill(options, "learner");
    options.table = kReplayTable;
    CADRE_ASSIGN_OR_RETURN(replay_, MakeRemoteReplaySource({replay_address_}, options));
  } else {
    ExperienceClientOptions options;
    Fill(options, "learner");
    options.address = replay_address_;
    options.target = QueueName(config_, 0);
    CADRE_ASSIGN_OR_RETURN(queue_, RemoteExperienceSource::Create(options));
  }
  return absl::OkStatus();
}

absl::Status ProcessesStage::Start(const std::string& folder, ShutdownSignal& shutdown) {
  CADRE_RETURN_IF_ERROR(StartServers(folder));
  CADRE_RETURN_IF_ERROR(Connect());
  // Both servers answer before anything is measured.
  CADRE_ASSIGN_OR_RETURN(const auto sink, MakeSink(0));
  CallGroup calls;
  const StopLink stop(shutdown, [&] {
    calls.Close();
    sink->Close();
  });
  CADRE_RETURN_IF_ERROR(
      FetchNewestVersion(ParameterOptions(ModelName(config_)), kPatience, calls).status());
  return static_cast<RemoteExperienceSink&>(*sink).WaitConnected();
}

absl::StatusOr<std::unique_ptr<ExperienceSink>> ProcessesStage::MakeSink(int32_t index) {
  CADRE_ASSIGN_OR_RETURN(const ExperienceTarget target,
                         FindExperienceTarget(config_, environment_.observation,
                                              environment_.action, replay_address_, index));
  ExperienceSinkOptions options;
  Fill(options, absl::StrCat("actor-", index));
  options.address = target.places[target.first].address;
  options.target = target.places[target.first].target;
  options.max_unsettled_rollouts = target.max_unsettled_rollouts;
  return RemoteExperienceSink::Create(options);
}

}  // namespace

absl::StatusOr<std::unique_ptr<RehearsalStage>> MakeEmbeddedStage(
    const ExperimentConfig& config, const EnvironmentSpec& environment, const std::string& folder) {
  const v1::ExperienceSpec spec = RecordedSpec(config, environment.observation, environment.action);
  CADRE_ASSIGN_OR_RETURN(auto experience,
                         MakeEmbeddedExperience(config, spec, folder, /*from=*/{}));
  return std::make_unique<EmbeddedStage>(config, std::move(experience));
}

absl::StatusOr<std::unique_ptr<RehearsalStage>> MakeProcessesStage(
    const ExperimentConfig& config, const EnvironmentSpec& environment, const std::string& folder,
    ShutdownSignal& shutdown) {
  auto stage = std::make_unique<ProcessesStage>(config, environment);
  CADRE_RETURN_IF_ERROR(stage->Start(folder, shutdown));
  return stage;
}

}  // namespace cadre
