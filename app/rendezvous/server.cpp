#include "app/rendezvous/server.h"

#include <algorithm>
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
  std::vector<IpAddress> addresses;
  for (const SocketAddress& address : config.listen) {
    if (std::ranges::find(addresses, address.ip) == addresses.end()) {
      addresses.push_back(address.ip);
    }
  }
  SystemRandom random;
  auto server = std::make_unique<Server>(std::move(*loop), addresses, MakeSecret(random));
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
  auto signals = uv::Signals::Make(*loop_, [this](int signal) {
    if (signal != SIGHUP) {
      loop_->Stop();
    }
  });
  if (!signals) {
    return Fail(std::move(signals.error()));
  }
  signals_ = std::move(*signals);
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

void Server::Run() {
  if (const auto told = uv::SdNotify("READY=1"); !told) {
    log::Warn("{}: {}", told.error().context, told.error().code.message());
  }
  loop_->Run();
}

}  // namespace floe::rendezvous
