/* libnice behind the line protocol of floe-ice (DESIGN.md), so that the two can be paired.
 *
 * nice_peer --role R [--stun IP:PORT] [--turn URI --turn-user U --turn-pass P] [--relay-only] [--no-tcp] [--no-udp]
 *           [--aggressive] [--bind IP]... */
#include <glib.h>
#include <nice/agent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static NiceAgent *agent;
static guint stream;
static GMainLoop *loop;
static gchar *remote_ufrag, *remote_pwd;
static GSList *early; /* candidate lines that came before the credentials */
static gboolean relay_only, gathered;

static void say(const char *word, const char *value) {
  printf(value ? "%s %s\n" : "%s\n", word, value);
  fflush(stdout);
}

static gchar *line_of(NiceCandidate *candidate) {
  gchar *sdp = nice_agent_generate_local_candidate_sdp(agent, candidate); /* "a=candidate:..." */
  gchar *line = g_strdup(sdp + strlen("a="));
  g_free(sdp);
  return line;
}

static void tell_candidate(NiceCandidate *candidate) {
  if (relay_only && candidate->type != NICE_CANDIDATE_TYPE_RELAYED) return;
  gchar *line = line_of(candidate);
  say("candidate", line);
  g_free(line);
}

static void describe(void) {
  gchar *ufrag, *pwd;
  nice_agent_get_local_credentials(agent, stream, &ufrag, &pwd);
  say("ufrag", ufrag);
  say("pwd", pwd);
  g_free(ufrag);
  g_free(pwd);
}

static void on_candidate(NiceAgent *a, NiceCandidate *candidate, gpointer user) {
  (void)a, (void)user;
  tell_candidate(candidate);
}

static void on_gathered(NiceAgent *a, guint s, gpointer user) {
  (void)a, (void)s, (void)user;
  gathered = TRUE;
  say("end-of-candidates", NULL);
}

static void on_state(NiceAgent *a, guint s, guint c, guint state, gpointer user) {
  (void)a, (void)s, (void)c, (void)user;
  static const char *const names[] = {[NICE_COMPONENT_STATE_DISCONNECTED] = "disconnected",
                                      [NICE_COMPONENT_STATE_CONNECTING] = "checking",
                                      [NICE_COMPONENT_STATE_CONNECTED] = "connected",
                                      [NICE_COMPONENT_STATE_READY] = "completed",
                                      [NICE_COMPONENT_STATE_FAILED] = "failed"};
  if (state < G_N_ELEMENTS(names) && names[state]) say("state", names[state]);
}

static void on_selected(NiceAgent *a, guint s, guint c, NiceCandidate *local, NiceCandidate *remote, gpointer user) {
  (void)a, (void)s, (void)c, (void)user;
  gchar *l = line_of(local), *r = line_of(remote), *both = g_strdup_printf("%s | %s", l, r);
  say("selected", both);
  g_free(l);
  g_free(r);
  g_free(both);
}

static void on_data(NiceAgent *a, guint s, guint c, guint size, gchar *bytes, gpointer user) {
  (void)a, (void)s, (void)c, (void)user;
  GString *hex = g_string_new(NULL);
  for (guint i = 0; i < size; i++) g_string_append_printf(hex, "%02x", (guchar)bytes[i]);
  say("recv", hex->str);
  g_string_free(hex, TRUE);
}

static void add_candidate(const char *line) {
  gchar *sdp = g_strconcat("a=", line, NULL);
  NiceCandidate *candidate = nice_agent_parse_remote_candidate_sdp(agent, stream, sdp);
  if (candidate) {
    GSList *list = g_slist_append(NULL, candidate);
    nice_agent_set_remote_candidates(agent, stream, 1, list);
    g_slist_free_full(list, (GDestroyNotify)nice_candidate_free);
  } else {
    fprintf(stderr, "nice_peer: cannot read %s\n", sdp);
  }
  g_free(sdp);
}

static void restart(void) {
  nice_agent_restart_stream(agent, stream);
  g_clear_pointer(&remote_ufrag, g_free);
  g_clear_pointer(&remote_pwd, g_free);
  describe();
  GSList *list = nice_agent_get_local_candidates(agent, stream, 1);
  for (GSList *i = list; i; i = i->next) tell_candidate(i->data);
  g_slist_free_full(list, (GDestroyNotify)nice_candidate_free);
  if (gathered) say("end-of-candidates", NULL);
}

static void set_credentials(void) {
  if (!remote_ufrag || !remote_pwd) return;
  nice_agent_set_remote_credentials(agent, stream, remote_ufrag, remote_pwd);
  for (GSList *i = early; i; i = i->next) add_candidate(i->data);
  g_slist_free_full(early, g_free);
  early = NULL;
}

static void send_hex(const char *hex) {
  gsize size = strlen(hex) / 2;
  gchar *bytes = g_malloc(size + 1);
  for (gsize i = 0; i < size; i++)
    bytes[i] = (gchar)(g_ascii_xdigit_value(hex[2 * i]) << 4 | g_ascii_xdigit_value(hex[2 * i + 1]));
  if (nice_agent_send(agent, stream, 1, (guint)size, bytes) < 0) fprintf(stderr, "nice_peer: not sent\n");
  g_free(bytes);
}

static void obey(char *line) {
  g_strstrip(line);
  char *value = strchr(line, ' ');
  if (value) *value++ = 0;
  if (!strcmp(line, "ufrag") && value) {
    if (remote_ufrag && strcmp(remote_ufrag, value)) restart(); /* the peer has restarted: RFC 8445 section 9 */
    g_free(remote_ufrag);
    remote_ufrag = g_strdup(value);
    g_clear_pointer(&remote_pwd, g_free);
  } else if (!strcmp(line, "pwd") && value) {
    g_free(remote_pwd);
    remote_pwd = g_strdup(value);
    set_credentials();
  } else if (!strcmp(line, "candidate") && value) {
    if (remote_pwd)
      add_candidate(value);
    else
      early = g_slist_append(early, g_strdup(value));
  } else if (!strcmp(line, "end-of-candidates")) {
    nice_agent_peer_candidate_gathering_done(agent, stream);
  } else if (!strcmp(line, "send") && value) {
    send_hex(value);
  } else if (!strcmp(line, "restart")) {
    restart();
  } else if (!strcmp(line, "close")) {
    g_main_loop_quit(loop);
  }
}

static gboolean on_input(GIOChannel *channel, GIOCondition condition, gpointer user) {
  (void)condition, (void)user;
  gchar *line = NULL;
  GIOStatus status = g_io_channel_read_line(channel, &line, NULL, NULL, NULL);
  if (status == G_IO_STATUS_NORMAL) {
    obey(line);
    g_free(line);
  } else if (status != G_IO_STATUS_AGAIN) {
    g_main_loop_quit(loop);
  }
  return TRUE;
}

/* "turn:198.51.100.10:3478?transport=udp": the address and port, and how it is reached. */
static void add_relay(const char *uri, const char *user, const char *password) {
  gboolean tls = g_str_has_prefix(uri, "turns:");
  gchar **parts = g_strsplit(strchr(uri, ':') + 1, "?", 2);
  gchar *colon = strrchr(parts[0], ':');
  *colon = 0;
  gchar *host = parts[0][0] == '[' ? g_strndup(parts[0] + 1, strlen(parts[0]) - 2) : g_strdup(parts[0]);
  NiceRelayType type = tls ? NICE_RELAY_TYPE_TURN_TLS
                       : parts[1] && strstr(parts[1], "tcp") ? NICE_RELAY_TYPE_TURN_TCP
                                                             : NICE_RELAY_TYPE_TURN_UDP;
  nice_agent_set_relay_info(agent, stream, 1, host, (guint)atoi(colon + 1), user, password, type);
  g_free(host);
  g_strfreev(parts);
}

int main(int argc, char **argv) {
  const char *role = "controlled", *stun = NULL, *turn = NULL, *user = "", *password = "";
  gboolean tcp = TRUE, udp = TRUE;
  NiceAgentOption options = NICE_AGENT_OPTION_ICE_TRICKLE | NICE_AGENT_OPTION_CONSENT_FRESHNESS |
                            NICE_AGENT_OPTION_REGULAR_NOMINATION;
  GSList *bind = NULL;
  for (int i = 1; i < argc; i++) {
    const char *value = i + 1 < argc ? argv[i + 1] : "";
    if (!strcmp(argv[i], "--relay-only")) relay_only = TRUE;
    else if (!strcmp(argv[i], "--no-tcp")) tcp = FALSE;
    else if (!strcmp(argv[i], "--no-udp")) udp = FALSE;
    else if (!strcmp(argv[i], "--aggressive")) options &= ~(guint)NICE_AGENT_OPTION_REGULAR_NOMINATION;
    else if (!strcmp(argv[i], "--role")) role = value, i++;
    else if (!strcmp(argv[i], "--stun")) stun = value, i++;
    else if (!strcmp(argv[i], "--turn")) turn = value, i++;
    else if (!strcmp(argv[i], "--turn-user")) user = value, i++;
    else if (!strcmp(argv[i], "--turn-pass")) password = value, i++;
    else if (!strcmp(argv[i], "--bind")) bind = g_slist_append(bind, argv[++i]);
    else return fprintf(stderr, "nice_peer: what is %s?\n", argv[i]), 2;
  }
  loop = g_main_loop_new(NULL, FALSE);
  agent = nice_agent_new_full(g_main_loop_get_context(loop), NICE_COMPATIBILITY_RFC5245, options);
  g_object_set(agent, "controlling-mode", !strcmp(role, "controlling"), "upnp", FALSE, "ice-tcp", tcp, "ice-udp", udp,
               "force-relay", relay_only, NULL);
  for (GSList *i = bind; i; i = i->next) {
    NiceAddress *address = nice_address_new();
    nice_address_set_from_string(address, i->data);
    nice_agent_add_local_address(agent, address);
    nice_address_free(address);
  }
  if (stun) {
    gchar *host = g_strdup(stun), *colon = strrchr(host, ':');
    *colon = 0;
    g_object_set(agent, "stun-server", host, "stun-server-port", atoi(colon + 1), NULL);
    g_free(host);
  }
  g_signal_connect(agent, "new-candidate-full", G_CALLBACK(on_candidate), NULL);
  g_signal_connect(agent, "candidate-gathering-done", G_CALLBACK(on_gathered), NULL);
  g_signal_connect(agent, "component-state-changed", G_CALLBACK(on_state), NULL);
  g_signal_connect(agent, "new-selected-pair-full", G_CALLBACK(on_selected), NULL);
  stream = nice_agent_add_stream(agent, 1);
  nice_agent_set_stream_name(agent, stream, "application"); /* without a name it writes no SDP */
  if (turn) add_relay(turn, user, password);
  nice_agent_attach_recv(agent, stream, 1, g_main_loop_get_context(loop), on_data, NULL);
  describe();
  if (!nice_agent_gather_candidates(agent, stream)) return fprintf(stderr, "nice_peer: cannot gather\n"), 1;
  GIOChannel *input = g_io_channel_unix_new(0);
  g_io_channel_set_flags(input, G_IO_FLAG_NONBLOCK, NULL);
  g_io_add_watch(input, G_IO_IN | G_IO_HUP, on_input, NULL);
  g_main_loop_run(loop);
  g_object_unref(agent);
  return 0;
}
