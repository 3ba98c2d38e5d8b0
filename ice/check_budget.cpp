#include "ice/check_budget.h"

#include <algorithm>
#include <chrono>

namespace floe::ice {
namespace {

constexpr Duration kPrice = Duration(std::chrono::seconds(1)) / CheckBudget::kPerSecond;

}  // namespace

CheckBudget::Account& CheckBudget::Find(TimePoint now, const IpAddress& ip) {
  const auto known = std::ranges::find(accounts_, ip, &Account::ip);
  if (known != accounts_.end()) {
    std::rotate(known, known + 1, accounts_.end());
    return accounts_.back();
  }
  if (accounts_.size() >= kMaxAddresses) {
    accounts_.erase(accounts_.begin());
  }
  return accounts_.emplace_back(Account{.ip = ip, .full = now});
}

bool CheckBudget::Take(TimePoint now, const IpAddress& ip) {
  Account& account = Find(now, ip);
  if (account.free) {
    return true;
  }
  const TimePoint full = std::max(account.full, now) + kPrice;
  if (full - now > kBurst * kPrice) {
    return false;
  }
  account.full = full;
  return true;
}

void CheckBudget::Free(TimePoint now, const IpAddress& ip) {
  Find(now, ip).free = true;
}

}  // namespace floe::ice
