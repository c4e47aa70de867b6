/* What the files of import share. */
#ifndef COFFERDAM_IMAGES_IMPORT_PARTS_H
#define COFFERDAM_IMAGES_IMPORT_PARTS_H

#include "images/image.h"

enum { IMPORT_NAMES_MAX = 1000 };

/* Whether all the names in an archive may come in, when nobody has said which. */
int import_names_are_few(size_t names, struct error *e);

/* A regular file of a stranger's folder, through no link and not out of it. Its fd or -errno. */
int import_open(int dir, const char *path, uint64_t resolve);
/* The words for what import_open() has refused; returns -e->code. */
int import_not_opened(const char *path, int why, struct error *e);
int import_read(int dir, const char *path, char **ret, size_t *ret_size, struct error *e);

/* Unpacks. `d` is of a manifest in the session. */
int import_finish(struct image_import *m, const struct document_descriptor *d, const char *name,
                  struct error *e);
/* Commits, and names what is finished, if `r`, what came of that, is 0; returns `r` else. */
int import_publish(struct image_import *m, int r, struct error *e);

int import_saved(struct image_import *m, int dir, bool ours, struct error *e);
int import_rootfs(struct image_import *m, int fd, bool ours, const char *name, struct error *e);
/* A folder of the host as a plain tar into `to`. */
int import_pack(int dir, int to, struct error *e);

#endif
