/* Values for the keys, each with where it came from; and the files they are read from. */
#ifndef COFFERDAM_PROFILES_SETTINGS_H
#define COFFERDAM_PROFILES_SETTINGS_H

#include "base/error.h"
#include "base/str.h"
#include "profiles/keys.h"

/* One value. Scalars have one item; a list any number. */
struct setting {
    char **items;   /* owned; NULL: not set anywhere, the key has no default */
    char **origins; /* owned; as long as items: "contained.ini:12", "--network", "default"; a list
                       that was emptied keeps one: where that was done */
};

struct settings {
    struct setting of[KEY_COUNT];
};

void settings_init(struct settings *s); /* the table's defaults */
void settings_done(struct settings *s);
void settings_copy(struct settings *to, const struct settings *from); /* `to` uninitialised */

/*
 * Sets (scalar), appends to (list) or with "" resets a value (list: to no items; scalar: to the
 * default), checking it against the key's type. The first items given to a list take the place of
 * the table's default ones. A LIST value is split at white space ("…" keeps blanks, \" and
 * \\ inside it). -EINVAL or -ERANGE with what is allowed, -E2BIG beyond SETTINGS_VALUE_MAX or
 * SETTINGS_ITEMS_MAX; `s` is then as it was.
 */
int settings_set(struct settings *s, enum key_id key, const char *value, const char *origin,
                 struct error *e);

/* As settings_set(), but `item` is one item, taken as it stands: a command-line argument. */
int settings_add(struct settings *s, enum key_id key, const char *item, const char *origin,
                 struct error *e);

enum { SETTINGS_VALUE_MAX = 4096, SETTINGS_ITEMS_MAX = 1024 }; /* bytes a value, items a list */

/* "SECTION.KEY=VALUE" of --set; names the nearest key when it is unknown. */
int settings_assign(struct settings *s, const char *assignment, const char *origin,
                    struct error *e);

/* Readers. The value was checked when it was set, so these cannot fail; NULL/0/false if unset. */
const char *settings_text(const struct settings *s, enum key_id key);
bool settings_bool(const struct settings *s, enum key_id key);
uint64_t settings_number(const struct settings *s, enum key_id key); /* bytes, ms, integers */
double settings_decimal(const struct settings *s, enum key_id key);
char *const *settings_list(const struct settings *s, enum key_id key);  /* never NULL */
const char *settings_origin(const struct settings *s, enum key_id key); /* the last item's */
bool settings_is_default(const struct settings *s, enum key_id key);

/*
 * Where profiles are looked for, weakest first: shipped, system, user. From the build tree the
 * shipped folder is the source tree's profiles/shipped.
 */
struct profile_path {
    char *dirs[3]; /* owned; each holds profiles/ and workloads/ (the shipped one: *.ini) */
};
int profile_path_init(struct profile_path *p, struct error *e);
void profile_path_done(struct profile_path *p);

/*
 * Loads a profile with all its layers into `s` (initialised by the caller): NAME.ini of the
 * strongest layer that has it, its `inherit` chain below, its drop-ins NAME.ini.d/ of every layer
 * above. A link to /dev/null masks. Errors name file, line and the nearest known name. -ENOENT: no
 * such profile (with the nearest); -ELOOP: inherit in a circle.
 */
int profile_load(const struct profile_path *p, const char *name, struct settings *s,
                 struct error *e);

/* The profile where none is named. */
#define PROFILE_OF_RUN "contained"

/* As profile_load(): the workload file's profile first, then the file's own values over it. */
int workload_load(const struct profile_path *p, const char *name, struct settings *s,
                  struct error *e);

/* What there is: names sorted, masked ones left out. `kind` is "profiles" or "workloads". */
struct profile_entry {
    char *name; /* owned */
    char *path; /* owned; the file that wins */
    bool broken;
    char *why; /* owned; the error of a broken one, else the description */
};
int profile_list(const struct profile_path *p, const char *kind, struct profile_entry **ret,
                 size_t *ret_count, struct error *e);
void profile_list_free(struct profile_entry *list, size_t count);

#endif
