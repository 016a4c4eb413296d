/* Given clients: clients whose connection the engine hands over (frame CLIENT). What they type and read no longer passes through
 * the engine, so its death costs them no byte. The engine's connection that brought the client is kept as the peer's
 * `origin`: ATTACHED and DETACHED (the client typed the detach keys) are sent to it, and it is closed when the client is gone. */
#define _GNU_SOURCE
#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "monitor.h"

void origin_tell(const struct peer *peer, enum frame_kind kind, const void *payload, size_t size) {
  uint8_t frame[32];
  uint32_t length = (uint32_t)size + 1;
  if (peer->origin < 0 || size > sizeof frame - 5)
    return;
  memcpy(frame, &length, sizeof length);
  frame[4] = (uint8_t)kind;
  if (size > 0)
    memcpy(frame + 5, payload, size);
  (void)send(peer->origin, frame, 5 + size, MSG_DONTWAIT | MSG_NOSIGNAL); /* the engine may be gone */
}

bool given_begin(struct peer *peer, struct span payload) {
  uint8_t streams;
  struct span keys, input;
  if (!take_u8(&payload, &streams) || !take_bytes(&payload, &keys) || !take_bytes(&payload, &input))
    return false;
  if (peer->passed < 0 || payload.size != 0 || streams > CLIENT_BITS || keys.size > KEYS_MAX)
    return false;
  memcpy(peer->keys, keys.at, keys.size);
  peer->keys_count = (uint8_t)keys.size;
  source_arm(&peer->source, NOT_ARMED);
  peer->origin = peer->source.fd;
  peer->source.fd = peer->passed;
  peer->passed = -1;
  /* Input that the engine had already read from the client. */
  peer->box.taken = (size_t)(input.at - peer->box.at);
  peer->box.used = peer->box.taken + input.size;
  attach_begin(peer, streams, false);
  return true;
}

/* The bytes held back are not the beginning of the detach keys, but a later part of them may be. Writes those that can be let go
 * to `to`, and returns how many. */
static size_t let_go(struct peer *peer, uint8_t *to) {
  size_t held = peer->keys_matched, kept = held - 1;
  while (kept > 0 && memcmp(peer->keys, peer->keys + held - kept, kept) != 0)
    kept--;
  memcpy(to, peer->keys, held - kept);
  peer->keys_matched = (uint8_t)kept;
  return held - kept;
}

/* The output is written from KEYS_MAX bytes before the input on: it begins with bytes held back earlier, which are fewer than
 * KEYS_MAX. */
bool given_detaches(struct peer *peer, struct span *bytes) {
  uint8_t *begin = bytes->at - KEYS_MAX, *to = begin;
  bool detached = false;
  for (size_t i = 0; i < bytes->size && !detached; i++) {
    uint8_t byte = bytes->at[i];
    while (peer->keys_matched > 0 && byte != peer->keys[peer->keys_matched])
      to += let_go(peer, to);
    if (byte == peer->keys[peer->keys_matched])
      peer->keys_matched++;
    else
      *to++ = byte;
    detached = peer->keys_matched == peer->keys_count;
  }
  *bytes = (struct span){begin, (size_t)(to - begin)};
  return detached;
}

bool given_any(void) {
  for (struct peer *peer = monitor.peer; peer < monitor.peer + PEERS_MAX; peer++)
    if (peer->origin >= 0)
      return true;
  return false;
}

void given_close(struct peer *peer) {
  if (peer->origin >= 0)
    close(peer->origin);
  if (peer->passed >= 0)
    close(peer->passed);
  peer->origin = peer->passed = -1;
}
