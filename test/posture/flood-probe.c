/* Sends so many frames, each from another hardware address. */
#include <arpa/inet.h>
#include <net/ethernet.h>
#include <net/if.h>
#include <netpacket/packet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

int main(int argc, char **argv) {
  int fd = socket(AF_PACKET, SOCK_RAW, 0), count = argc > 1 ? atoi(argv[1]) : 0, sent = 0;
  struct sockaddr_ll to = {.sll_family = AF_PACKET, .sll_ifindex = (int)if_nametoindex("eth0"), .sll_halen = ETH_ALEN};
  unsigned char frame[ETH_ZLEN] = {2, 255, 255, 255, 255, 255, 2, 0, 0, 0, 0, 0, 0x88, 0xb5}; /* an experiment's type */
  for (int i = 0; i < count; i++) {
    memcpy(frame + ETH_ALEN + 2, &i, sizeof i);
    sent += sendto(fd, frame, sizeof frame, 0, (struct sockaddr *)&to, sizeof to) == sizeof frame;
  }
  printf("%d\n", sent);
  return 0;
}
