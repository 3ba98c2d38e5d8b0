#include "app/floed/runtime/igd.h"

#include <algorithm>
#include <array>
#include <memory>
#include <miniupnpc/miniupnpc.h>
#include <miniupnpc/upnpcommands.h>
#include <string_view>

#include "tun/interfaces.h"

namespace floe::daemon {
namespace {

constexpr int kDiscoverDelay = 1000;  // ms, for each kind of device that is asked for
constexpr unsigned char kTtl = 2;     // UPnP Device Architecture 1.1 section 1.3.2
constexpr const char* kUdp = "UDP";
constexpr const char* kUdpNumber = "17";
constexpr const char* kLease = "3600";  // seconds
constexpr const char* kForever = "0";
constexpr int kOnlyPermanentLeases = 725;
constexpr int kConflict = 718;
constexpr std::uint16_t kPortStep = 7919;  // To another port, if one is taken.
constexpr int kPortTries = 4;

struct DeviceListDeleter {
  void operator()(UPNPDev* list) const noexcept { freeUPNPDevlist(list); }
};

struct UrlsDeleter {
  void operator()(UPNPUrls* urls) const noexcept { FreeUPNPUrls(urls); }
};

using DeviceList = std::unique_ptr<UPNPDev, DeviceListDeleter>;

/// The address in an http URL, if it has one rather than a name.
std::optional<IpAddress> HostOf(const char* url) {
  constexpr std::string_view kScheme = "http://";
  std::string_view text(url == nullptr ? "" : url);
  if (!text.starts_with(kScheme)) {
    return std::nullopt;
  }
  text.remove_prefix(kScheme.size());
  if (text.starts_with('[')) {
    const std::size_t end = text.find(']');
    return end == std::string_view::npos ? std::nullopt : ParseIpAddress(text.substr(1, end - 1));
  }
  const std::size_t end = text.find_first_of(":/");
  return end == std::string_view::npos ? std::nullopt : ParseIpAddress(text.substr(0, end));
}

/// Whether an http URL is of this very address: a description must not lead elsewhere.
bool IsAt(const char* url, const IpAddress& ip) {
  return HostOf(url) == ip;
}

/// The name of the interface that has this address of ours.
std::string InterfaceOf(const IpAddress& ip) {
  const auto all = tun::ListAddresses();
  if (!all) {
    return {};
  }
  const auto found = std::ranges::find(*all, ip, &tun::InterfaceAddress::ip);
  return found == all->end() ? std::string() : found->interface;
}

int Add(const Igd& igd, const SocketAddress& internal, std::uint16_t external_port,
        const char* lease) {
  return UPNP_AddPortMapping(igd.control_url.c_str(), igd.service_type.c_str(),
                             std::to_string(external_port).c_str(),
                             std::to_string(internal.port).c_str(), ToString(internal.ip).c_str(),
                             "floe", kUdp, /*remoteHost=*/nullptr, lease);
}

}  // namespace

std::optional<Igd> FindIgd(const ice::portmap::Gateway& gateway) {
  int error = 0;
  const DeviceList devices(upnpDiscover(kDiscoverDelay, ToString(gateway.internal.ip).c_str(),
                                        /*minissdpdsock=*/nullptr, UPNP_LOCAL_PORT_ANY, /*ipv6=*/0,
                                        kTtl, &error));
  for (const UPNPDev* device = devices.get(); device != nullptr; device = device->pNext) {
    if (!IsAt(device->descURL, gateway.router)) {
      continue;
    }
    UPNPUrls urls{};
    IGDdatas data{};
    std::array<char, 64> own_address{};
    if (UPNP_GetIGDFromUrl(device->descURL, &urls, &data, own_address.data(),
                           static_cast<int>(own_address.size())) != 1) {
      continue;
    }
    const bool own = IsAt(urls.controlURL, gateway.router);
    Igd igd{.control_url = own ? urls.controlURL : "", .service_type = data.first.servicetype};
    FreeUPNPUrls(&urls);
    if (own && !igd.service_type.empty()) {
      return igd;
    }
  }
  return std::nullopt;
}

std::optional<SocketAddress> AddIgdMapping(const Igd& igd, const SocketAddress& internal,
                                           std::uint16_t external_port) {
  std::array<char, 64> text{};
  if (UPNP_GetExternalIPAddress(igd.control_url.c_str(), igd.service_type.c_str(), text.data()) !=
      UPNPCOMMAND_SUCCESS) {
    return std::nullopt;
  }
  text.back() = '\0';
  const auto ip = ParseIpAddress(text.data());
  if (!ip || ip->is_unspecified()) {
    return std::nullopt;  // The line is down.
  }
  for (int i = 0; i < kPortTries; ++i) {
    int result = Add(igd, internal, external_port, kLease);
    if (result == kOnlyPermanentLeases) {
      result = Add(igd, internal, external_port, kForever);
    }
    if (result == UPNPCOMMAND_SUCCESS) {
      return SocketAddress{*ip, external_port};
    }
    if (result != kConflict) {
      return std::nullopt;
    }
    external_port = static_cast<std::uint16_t>(1024 + (external_port + kPortStep) % (65536 - 1024));
  }
  return std::nullopt;
}

bool HasIgdMapping(const Igd& igd, const SocketAddress& internal, std::uint16_t external_port) {
  std::array<char, 64> client{};
  std::array<char, 16> port{};
  std::array<char, 128> description{};
  std::array<char, 16> enabled{};
  std::array<char, 64> lease{};
  const int result =
      UPNP_GetSpecificPortMappingEntry(igd.control_url.c_str(), igd.service_type.c_str(),
                                       std::to_string(external_port).c_str(), kUdp,
                                       /*remoteHost=*/nullptr, client.data(), port.data(),
                                       description.data(), enabled.data(), lease.data());
  return result == UPNPCOMMAND_SUCCESS && ToString(internal.ip) == client.data() &&
         std::to_string(internal.port) == port.data();
}

void DeleteIgdMapping(const Igd& igd, std::uint16_t external_port) {
  UPNP_DeletePortMapping(igd.control_url.c_str(), igd.service_type.c_str(),
                         std::to_string(external_port).c_str(), kUdp, /*remoteHost=*/nullptr);
}

std::optional<Igd> FindIgdFirewall(const ice::portmap::Gateway& gateway) {
  const std::string interface = InterfaceOf(gateway.internal.ip);
  if (interface.empty()) {
    return std::nullopt;
  }
  int error = 0;
  const DeviceList devices(upnpDiscover(kDiscoverDelay, interface.c_str(),
                                        /*minissdpdsock=*/nullptr, UPNP_LOCAL_PORT_ANY, /*ipv6=*/1,
                                        kTtl, &error));
  const IpPrefix network{.address = gateway.internal.ip, .length = 64};
  for (const UPNPDev* device = devices.get(); device != nullptr; device = device->pNext) {
    const auto host = HostOf(device->descURL);
    if (!host || (*host != gateway.router && !network.Contains(*host))) {
      continue;
    }
    UPNPUrls urls{};
    IGDdatas data{};
    std::array<char, 64> own_address{};
    if (UPNP_GetIGDFromUrl(device->descURL, &urls, &data, own_address.data(),
                           static_cast<int>(own_address.size())) != 1) {
      continue;
    }
    const std::unique_ptr<UPNPUrls, UrlsDeleter> owned(&urls);
    const bool seen_as_we_are = ParseIpAddress(own_address.data()) == gateway.internal.ip;
    if (seen_as_we_are && IsAt(urls.controlURL_6FC, *host) && data.IPv6FC.servicetype[0] != '\0') {
      return Igd{.control_url = urls.controlURL_6FC, .service_type = data.IPv6FC.servicetype};
    }
  }
  return std::nullopt;
}

std::optional<std::string> AddIgdPinhole(const Igd& igd, const SocketAddress& internal) {
  int enabled = 0;
  int allowed = 0;
  if (UPNP_GetFirewallStatus(igd.control_url.c_str(), igd.service_type.c_str(), &enabled,
                             &allowed) != UPNPCOMMAND_SUCCESS ||
      enabled == 0 || allowed == 0) {
    return std::nullopt;
  }
  std::array<char, 16> pinhole{};
  const int result =
      UPNP_AddPinhole(igd.control_url.c_str(), igd.service_type.c_str(), /*remoteHost=*/"",
                      /*remotePort=*/"0", ToString(internal.ip).c_str(),
                      std::to_string(internal.port).c_str(), kUdpNumber, kLease, pinhole.data());
  return result == UPNPCOMMAND_SUCCESS ? std::optional<std::string>(pinhole.data()) : std::nullopt;
}

bool RenewIgdPinhole(const Igd& igd, const std::string& pinhole) {
  return UPNP_UpdatePinhole(igd.control_url.c_str(), igd.service_type.c_str(), pinhole.c_str(),
                            kLease) == UPNPCOMMAND_SUCCESS;
}

void DeleteIgdPinhole(const Igd& igd, const std::string& pinhole) {
  UPNP_DeletePinhole(igd.control_url.c_str(), igd.service_type.c_str(), pinhole.c_str());
}

}  // namespace floe::daemon
