/* Whose the files of an unpacked layer are. */
#ifndef COFFERDAM_IMAGES_OWNER_H
#define COFFERDAM_IMAGES_OWNER_H

#include <stdint.h>

/*
 * Root's layers belong to 65536 ids that are nobody's and that no process ever runs with: the
 * "foreign" range of systemd (https://systemd.io/UIDS-GIDS). So a set-user-id file of an image is
 * never one of the host's root, and whoever unpacks it has no right outside. A workload's own range
 * is laid over them by an idmapped mount.
 */
#define IMAGE_OWNER_FIRST 0x7ffe0000u
#define IMAGE_OWNER_COUNT 65536u

/* A layer is unpacked once for each of these that is used. */
enum image_owner_how {
    IMAGE_OWNER_SELF,    /* everything is the caller's; owners in the layer mean nothing */
    IMAGE_OWNER_RANGES,  /* root is the caller, the others of their /etc/subuid */
    IMAGE_OWNER_SHIFTED, /* root's; see above */
};

struct image_owner {
    enum image_owner_how how;
    uint32_t subuid, subuid_count; /* RANGES */
    uint32_t subgid, subgid_count;
};

#endif
