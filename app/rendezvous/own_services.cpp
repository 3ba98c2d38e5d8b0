#include "app/rendezvous/own_services.h"

#include <utility>

#include "ice/turn/authenticator.h"

namespace floe::rendezvous {
namespace {

using std::chrono::seconds;

constexpr seconds kCredentialLifetime{3600};

std::string HostOf(const IpAddress& ip) {
  return ip.is_v6() ? '[' + ToString(ip) + ']' : ToString(ip);
}

}  // namespace

seconds UnixTime() {
  return std::chrono::duration_cast<seconds>(std::chrono::system_clock::now().time_since_epoch());
}

OwnServices::OwnServices(std::vector<IpAddress> addresses, SecretString secret)
    : addresses_(std::move(addresses)), secret_(std::move(secret)) {}

std::vector<std::string> OwnServices::StunUrls() {
  std::vector<std::string> urls;
  for (const IpAddress& ip : addresses_) {
    urls.push_back("stun:" + HostOf(ip) + ':' + std::to_string(kStunPort));
  }
  return urls;
}

std::vector<signaling::TurnCredentials> OwnServices::MakeTurn(const PublicKey& node) {
  signaling::TurnCredentials credentials;
  for (const IpAddress& ip : addresses_) {
    credentials.urls.push_back("turn:" + HostOf(ip) + ':' + std::to_string(kStunPort) +
                               "?transport=udp");
  }
  credentials.username = ice::turn::RestUsername(UnixTime() + kCredentialLifetime, ToString(node));
  credentials.password = ice::turn::RestPassword(secret_, credentials.username);
  credentials.ttl = kCredentialLifetime;
  std::vector<signaling::TurnCredentials> all;
  all.push_back(std::move(credentials));
  return all;
}

}  // namespace floe::rendezvous
