#include "app/rendezvous/server.h"

#include <csignal>
#include <utility>

#include "base/base64.h"
#include "base/log.h"
#include "base/uv/sd_notify.h"

namespace floe::rendezvous {
namespace {

SecretString MakeSecret(RandomSource& random) {
  Secret<32> secret;
  random.Fill(secret.mutable_bytes());
  return RevealKey(secret);
}

}  // namespace

Result<std::unique_ptr<Server>> Server::Make(const ServerConfig& config) {
  auto loop = uv::Loop::Make();
  if (!loop) {
    return Fail(std::move(loop.error()));
  }
  SystemRandom random;
  auto server = std::make_unique<Server>(
      std::move(*loop), config.addresses,
      config.turn_secret ? config.turn_secret->Clone() : MakeSecret(random));
  if (auto listening = server->Listen(config); !listening) {
    return Fail(std::move(listening.error()));
  }
  return server;
}

Server::Server(std::unique_ptr<uv::Loop> loop, std::vector<IpAddress> addresses,
               SecretString secret)
    : loop_(std::move(loop)),
      addresses_(std::move(addresses)),
      secret_(std::move(secret)),
      services_(addresses_, secret_.Clone()),
      signaling_(*loop_, services_, random_) {}

Result<void> Server::Listen(const ServerConfig& config) {
  auto signals = uv::Signals::Make(*loop_, [this](int signal) { HandleSignal(signal); });
  if (!signals) {
    return Fail(std::move(signals.error()));
  }
  signals_ = std::move(*signals);
  if (config.tls) {
    auto certificate = Certificate::Make(
        *loop_, *config.tls,
        [this](std::shared_ptr<tls::Context> context) { signaling_.UseTls(std::move(context)); });
    if (!certificate) {
      return Fail(std::move(certificate.error()));
    }
    certificate_ = std::move(*certificate);
  }
  for (const SocketAddress& address : config.listen) {
    if (auto listening = signaling_.Listen(address); !listening) {
      return listening;
    }
  }
  auto turn = TurnService::Make(*loop_, random_, addresses_, secret_);
  if (!turn) {
    return Fail(std::move(turn.error()));
  }
  turn_ = std::move(*turn);
  return {};
}

/// SIGHUP reads the certificate again; the others end it.
void Server::HandleSignal(int signal) {
  if (signal != SIGHUP) {
    loop_->Stop();
    return;
  }
  if (!certificate_) {
    return;
  }
  if (const auto read = certificate_->Read()) {
    log::Info("the certificate was read again");
  } else {
    log::Warn("{}; the last certificate stays in use", read.error().context);
  }
}

void Server::Run() {
  if (const auto told = uv::SdNotify("READY=1"); !told) {
    log::Warn("{}: {}", told.error().context, told.error().code.message());
  }
  loop_->Run();
}

}  // namespace floe::rendezvous
