/* Values with a form of their own, taken apart: the check of a key and those who obey it share
 * these. */
#ifndef COFFERDAM_PROFILES_FORMS_H
#define COFFERDAM_PROFILES_FORMS_H

#include "base/str.h"

/* All return 0 or -EINVAL (-ERANGE); `ret_*` is written only on success. */

/* A name of signal(7), any case, with or without "SIG", or a number from 1 to 64. */
int form_signal(const char *s, int *ret);

/* "net-raw": in the order of capabilities(7)'s numbers, NULL behind the last. */
enum { FORM_CAPABILITIES = 41 };
extern const char *const form_capability_names[FORM_CAPABILITIES + 1];
/* A name of capabilities(7), any case, - or _, with or without "CAP_": its number. */
int form_capability(const char *s, unsigned *ret);

/* isolation.user: which of the three words, or FORM_USER_ID and the number. */
enum form_user { FORM_USER_SELF, FORM_USER_ROOT, FORM_USER_RANGES, FORM_USER_ID };
int form_user(const char *s, enum form_user *ret, uint32_t *ret_id);

/* lifecycle.restart: most 0 is no end. */
enum form_restart { FORM_RESTART_NO, FORM_RESTART_ON_FAILURE, FORM_RESTART_ALWAYS };
int form_restart(const char *s, enum form_restart *ret, unsigned *ret_most);

/* console.detach-keys: the two bytes typed; presets default, docker, tmux. */
int form_detach_keys(const char *s, char ret_keys[2]);

/*
 * SOURCE[:TARGET][:ro|rw] of files.mount; files.copy-in without the last part (`modes` false).
 * Source: absolute, "~", "~/…", "." or "./…", still as written. Both are heap strings of the
 * caller's; target is NULL if not said, else absolute. Neither holds a ':'.
 */
struct form_mount {
    char *source; /* owned */
    char *target; /* owned or NULL */
    bool writable;
};
int form_mount(const char *s, bool modes, struct form_mount *ret);
void form_mount_done(struct form_mount *m);

/* TARGET[:SIZE] of files.tmpfs; size 0: not said. Target owned by the caller. */
int form_tmpfs(const char *s, char **ret_target, uint64_t *ret_size);

/* A name of a profile or a workload: [A-Za-z0-9][A-Za-z0-9_.-]{0,62}, as it is a file's too. */
bool form_is_name(const char *s);

/* Absolute and without a "." or ".." part: a path inside, or on the host. */
bool form_is_absolute(const char *s);

#endif
