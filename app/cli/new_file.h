/* A file of the person's that is there whole, or not at all, and never in place of another. */
#ifndef COFFERDAM_APP_CLI_NEW_FILE_H
#define COFFERDAM_APP_CLI_NEW_FILE_H

#include "base/error.h"

struct new_file {
    int fd;          /* owned; what goes in */
    char *temporary; /* owned; NULL: the file system has files without a name */
};

/* -EEXIST: it is there already. */
int new_file_open(struct new_file *f, const char *path, struct error *e);
/* It is whole: from now on it has its name. */
int new_file_keep(struct new_file *f, const char *path, struct error *e);
void new_file_done(struct new_file *f); /* without new_file_keep() nothing is left */

#endif
