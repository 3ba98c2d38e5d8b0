#include "base/uv/http_tunnel.h"

#include <optional>
#include <utility>

#include "base/base64.h"

namespace floe::uv {
namespace {

constexpr std::size_t kMaxAnswer = 16UL * 1024;  // bytes

std::string MakeRequest(const std::string& target, const Proxy& proxy) {
  std::string request = "CONNECT " + target + " HTTP/1.1\r\nHost: " + target + "\r\n";
  if (!proxy.credentials.empty()) {
    request +=
        "Proxy-Authorization: Basic " + EncodeBase64(AsBytes(proxy.credentials.text())) + "\r\n";
  }
  return request + "\r\n";
}

/// "HTTP/1.1 200 ...": any 2xx opens the tunnel.
bool IsSuccess(const std::string& answer) {
  return answer.starts_with("HTTP/1.") && answer.size() > 9 && answer[8] == ' ' && answer[9] == '2';
}

/// The status line, for people: without what a terminal could take for a command.
std::string StatusLine(const std::string& answer) {
  std::string line = answer.substr(0, std::min<std::size_t>(answer.find('\r'), 80));
  std::erase_if(line, [](unsigned char c) { return c < ' ' || c > 126; });
  return line;
}

}  // namespace

HttpTunnel::HttpTunnel(Loop& loop, std::unique_ptr<ByteStream> below, std::string target,
                       const Proxy& proxy, TimePoint deadline)
    : below_(std::move(below)),
      target_(std::move(target)),
      request_(MakeRequest(target_, proxy)),
      deadline_(loop, [this] {
        Close(CloseReason::kTimedOut, Error{.code = std::make_error_code(std::errc::timed_out),
                                            .context = "proxy to " + target_});
      }) {
  deadline_.ArmAt(deadline);
}

void HttpTunnel::Start(StreamHandlers handlers) {
  handlers_ = std::move(handlers);
  const bool open = below_->state() == State::kOpen;
  below_->Start({.on_connect = [this] { Ask(); },
                 .on_data = [this](Bytes bytes) { HandleBytes(bytes); },
                 .on_drain =
                     [this] {
                       const auto on_drain = handlers_.on_drain;
                       if (on_drain && state_ == State::kOpen) {
                         on_drain();
                       }
                     },
                 .on_end =
                     [this] {
                       const auto on_end = handlers_.on_end;
                       if (on_end && state_ == State::kOpen) {
                         on_end();
                         return;
                       }
                       Close(state_ == State::kOpen ? CloseReason::kEnded
                                                    : CloseReason::kConnectFailed,
                             Error{.code = {}, .context = "proxy to " + target_ + ": it hung up"});
                     },
                 .on_close =
                     [this](CloseReason reason, const Error& error) {
                       Close(state_ == State::kConnecting && reason == CloseReason::kEnded
                                 ? CloseReason::kConnectFailed
                                 : reason,
                             error);
                     }});
  if (open) {
    Ask();
  }
}

void HttpTunnel::Ask() {
  below_->Write(AsBytes(request_.text()));
  request_ = SecretString();
}

void HttpTunnel::HandleBytes(Bytes bytes) {
  const std::weak_ptr<const bool> alive = alive_;
  if (state_ == State::kConnecting) {
    const std::size_t before = answer_.size();
    answer_ += AsText(bytes.first(std::min(bytes.size(), kMaxAnswer - before)));
    const auto end = answer_.find("\r\n\r\n");
    if (end == std::string::npos) {
      if (answer_.size() >= kMaxAnswer) {
        Close(CloseReason::kConnectFailed,
              Error{.code = std::make_error_code(std::errc::protocol_error),
                    .context = "proxy to " + target_ + ": its answer is too long"});
      }
      return;
    }
    if (!IsSuccess(answer_)) {
      Close(CloseReason::kConnectFailed,
            Error{.code = std::make_error_code(std::errc::connection_refused),
                  .context = "proxy to " + target_ + ": " + StatusLine(answer_)});
      return;
    }
    bytes = bytes.subspan(end + 4 - before);
    state_ = State::kOpen;
    deadline_.ArmAt(std::nullopt);
    below_->Write(std::exchange(pending_, {}));
    if (const auto on_connect = std::exchange(handlers_.on_connect, nullptr)) {
      on_connect();
      if (alive.expired()) {
        return;
      }
    }
  }
  const auto on_data = handlers_.on_data;
  if (!bytes.empty() && on_data && state_ == State::kOpen) {
    on_data(bytes);
  }
}

void HttpTunnel::Write(Bytes data) {
  if (state_ == State::kConnecting) {
    pending_.insert(pending_.end(), data.begin(), data.end());
  } else if (below_) {
    below_->Write(data);
  }
}

void HttpTunnel::Shutdown() {
  if (below_) {
    below_->Shutdown();
  }
}

std::size_t HttpTunnel::write_queue_size() const {
  return pending_.size() + (below_ ? below_->write_queue_size() : 0);
}

Result<SocketAddress> HttpTunnel::local_address() const {
  return below_ ? below_->local_address()
                : Result<SocketAddress>(Fail(Error{.code = {}, .context = "closed"}));
}

Result<SocketAddress> HttpTunnel::remote_address() const {
  return below_ ? below_->remote_address()
                : Result<SocketAddress>(Fail(Error{.code = {}, .context = "closed"}));
}

void HttpTunnel::Close(CloseReason reason, Error error) {
  state_ = State::kClosed;
  deadline_.ArmAt(std::nullopt);
  below_.reset();
  const auto on_close = std::exchange(handlers_.on_close, nullptr);
  if (on_close) {
    on_close(reason, error);  // May destroy this object, so nothing comes after it.
  }
}

}  // namespace floe::uv
