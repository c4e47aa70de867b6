/* Paths and mounts by descriptor: nothing here ever follows a link or names a place twice. */
#ifndef COFFERDAM_BACKENDS_ROOT_TREE_H
#define COFFERDAM_BACKENDS_ROOT_TREE_H

#include "base/error.h"
#include "base/str.h"

#include <sys/stat.h>
#include <sys/types.h>

/* Descriptors or -errno. `path` counts from `root` and can neither leave it nor pass a link. */
int tree_open(int root, const char *path, int flags);

/*
 * What an overlay of these folders, the lowest first, shows at `path`. -ENOENT: nothing; -ENOTDIR,
 * -ELOOP: a file or a link is in the way.
 */
int tree_find(const int *layers, size_t count, const char *path, struct stat *ret);

/*
 * Where `path` leads in `root`, the links on its way followed and none of them out of it: absolute,
 * without links or dots, owned by the caller. What is missing stands as it is said. -ELOOP: links
 * in a ring; -ENOTDIR: a file is in the way.
 */
int tree_follow(int root, const char *path, char **ret);

/*
 * The folder that was looked up last, for things made one beside the other. It has to be forgotten
 * whenever something is mounted below its root.
 */
struct tree_near {
    int result; /* owned: an O_PATH descriptor; or -errno of the look-up; 0: nothing kept */
    size_t size;
    char path[4096];
};
void tree_forget(struct tree_near *n);

/* The folder `path` of `size` bytes, by `n` if it is that one. Borrowed from `n`, or -errno. */
int tree_open_near(int root, struct tree_near *n, const char *path, size_t size);

/*
 * Makes what is missing of a folder path (mode 0755) and returns an O_PATH descriptor of it. New
 * folders are noted in `made` (with `prefix` in front) unless that is NULL, and given to uid:gid
 * unless these are -1.
 */
struct tree_maker {
    int root;
    struct tree_near *near; /* borrowed; of `root` */
    const char *prefix;     /* "" or the overlay's target */
    struct buf *made;       /* borrowed; NULL: not noted */
    /* Modes of new parents are taken from what these folders show, if they have them; of an image
     * (`keeps`) owners too. */
    const int *models; /* borrowed; the lowest first */
    size_t models_count;
    bool keeps;
    uid_t uid;
    gid_t gid;
};
int tree_make_dir(const struct tree_maker *m, const char *path, mode_t mode, bool leaf_owned);

/* The same where nothing is to be done with the folder: 0 or -errno. */
int tree_need_dir(const struct tree_maker *m, const char *path, mode_t mode, bool leaf_owned);

/*
 * The folder `path` is in (made if missing) and, in `ret_leaf`, its last part (inside `path`). The
 * descriptor is borrowed, until the next call with this maker.
 */
int tree_make_parent(const struct tree_maker *m, const char *path, const char **ret_leaf);
void tree_note(const struct tree_maker *m, const char *path);

/* A new file system: fsopen(2), options as "key=value" or "key", NULL-terminated. A mount's fd. */
int tree_new_fs(const char *type, const char *const *options, uint64_t attributes);

/* A detached copy of what `fd` (or `path` below it) shows. */
int tree_clone(int fd, const char *path, bool recursive);
int tree_attributes(int fd, uint64_t set, bool recursive);
int tree_attach(int tree, int target);

#endif
