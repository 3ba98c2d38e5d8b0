// Certificates that sign themselves, for tests alone.

#pragma once

#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <memory>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include <string>

#include "base/check.h"

namespace floe::tls::test {

/// A key and a certificate for `name`, such as "DNS:turn.example" or "IP:127.0.0.1", as files that
/// go with this object.
class Certificate {
 public:
  explicit Certificate(const std::string& name) {
    std::string pattern = (std::filesystem::temp_directory_path() / "floe-tls-XXXXXX").string();
    FLOE_CHECK(mkdtemp(pattern.data()) != nullptr);
    folder_ = pattern;
    EVP_PKEY* key = EVP_EC_gen("P-256");
    X509* certificate = X509_new();
    X509_set_version(certificate, X509_VERSION_3);
    ASN1_INTEGER_set(X509_get_serialNumber(certificate), 1);
    X509_gmtime_adj(X509_getm_notBefore(certificate), -3600);
    X509_gmtime_adj(X509_getm_notAfter(certificate), 3600);
    X509_set_pubkey(certificate, key);
    X509_EXTENSION* extension =
        X509V3_EXT_conf_nid(nullptr, nullptr, NID_subject_alt_name, name.c_str());
    X509_add_ext(certificate, extension, -1);
    X509_EXTENSION_free(extension);
    X509_sign(certificate, key, EVP_sha256());
    std::FILE* out = std::fopen(this->certificate().c_str(), "w");
    PEM_write_X509(out, certificate);
    std::fclose(out);
    out = std::fopen(this->key().c_str(), "w");
    PEM_write_PrivateKey(out, key, nullptr, nullptr, 0, nullptr, nullptr);
    std::fclose(out);
    X509_free(certificate);
    EVP_PKEY_free(key);
  }

  ~Certificate() { std::filesystem::remove_all(folder_); }

  Certificate(const Certificate&) = delete;
  Certificate& operator=(const Certificate&) = delete;

  [[nodiscard]] std::string certificate() const { return (folder_ / "cert.pem").string(); }

  [[nodiscard]] std::string key() const { return (folder_ / "key.pem").string(); }

 private:
  std::filesystem::path folder_;
};

}  // namespace floe::tls::test
