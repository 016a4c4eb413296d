// Which engine: the same rules as src/client/address.ts and src/cli/own-program.ts, as far as they are simple. Everything else
// (TCP, a user who is not root, a long path, a flag that is not one of these) is for the full program.
#include "launcher.h"

const char *variable(const struct call *call, const char *name) {
  size_t length = strlen(name);
  for (char **entry = call->envp; *entry != NULL; entry++)
    if (begins(*entry, name) && (*entry)[length] == '=')
      return *entry + length + 1;
  return "";
}

// The value of argv[*at] when it is this flag, as "--flag VALUE" or "--flag=VALUE"; moves *at to the last word that it took.
static const char *flag_value(const struct call *call, int *at, const char *flag) {
  const char *word = call->argv[*at];
  if (!begins(word, flag))
    return NULL;
  if (word[strlen(flag)] == '=')
    return word + strlen(flag) + 1;
  if (word[strlen(flag)] != 0 || *at + 1 >= call->argc)
    return NULL;
  return call->argv[++*at];
}

static bool put_path(char path[static 108], const char *directory, const char *name) {
  size_t length = strlen(directory), more = strlen(name);
  if (length == 0 || length + more >= 108)
    return false;
  memcpy(path, directory, length);
  memcpy(path + length, name, more + 1);
  return true;
}

// unix:///PATH or /PATH
static bool put_address(char path[static 108], const char *address) {
  if (begins(address, "unix://"))
    address += 7;
  return address[0] == '/' && address[1] != 0 && put_path(path, address, "");
}

static bool is_our_socket(const char *address) {
  size_t length = strlen(address), name = strlen("/orlop.sock");
  return begins(address, "unix:///") && length >= 7 + name && is_equal(address + length - name, "/orlop.sock");
}

// What must work where no engine starts, and should start none; and "engine", a supervisor's word: the engine itself, which
// would wait here for itself.
static bool is_about_orlop(const struct call *call) {
  static const char words[][8] = {"engine", "doctor", "service", "version"};
  const char *word = call->argv[call->words];
  for (size_t i = 0; i < sizeof words / sizeof words[0]; i++)
    if (is_equal(word, words[i]))
      return true;
  return is_equal(word, "system") && call->words + 1 < call->argc && is_equal(call->argv[call->words + 1], "stop");
}

bool find_socket(struct call *call, char path[static 108]) {
  const char *host = NULL, *run = NULL, *root = NULL;
  int at = 1;
  for (; at < call->argc && call->argv[at][0] == '-'; at++) {
    const char *value;
    if ((value = flag_value(call, &at, "--run-dir")) != NULL)
      run = value;
    else if ((value = flag_value(call, &at, "--root")) != NULL)
      root = value;
    else if ((value = flag_value(call, &at, "--host")) != NULL || (value = flag_value(call, &at, "-H")) != NULL)
      host = value;
    else
      return false;
  }
  call->words = at;
  if (at >= call->argc || is_about_orlop(call) || variable(call, "ORLOP_OWN_PROCESS")[0] != 0)
    return false;
  if (run != NULL || root != NULL)
    return host == NULL && put_path(path, run != NULL ? run : "/run/orlop", "/orlop.sock");
  if (host == NULL)
    host = variable(call, "ORLOP_HOST");
  if (host[0] == 0 && is_our_socket(variable(call, "DOCKER_HOST")))
    host = variable(call, "DOCKER_HOST");
  if (host[0] != 0)
    return put_address(path, host);
  return sys1(__NR_getuid, 0) == 0 && put_path(path, "/run/orlop", "/orlop.sock");
}
