/*
 * Domains of libvirt that other programs made: shown as they are and told what to do, never
 * removed. They are called "libvirt:NAME", or "libvirt:NAME@URI" where several have one of that
 * name. cofferdam-domain asks for them, with a time limit; it is started only where a daemon's
 * socket lies, or somebody has named a libvirt. While that does not answer, what was last heard is
 * kept.
 */
#ifndef COFFERDAM_APP_CLI_FOREIGN_H
#define COFFERDAM_APP_CLI_FOREIGN_H

#include "app/cli/verb.h"
#include "base/dirs.h"
#include "base/spawn.h"

#include <jansson.h>

#define FOREIGN_PREFIX "libvirt:"

/*
 * An array of objects: name, uuid, state, memory, cpu_us, uri, autostart and saved, or with
 * `figures` io_read and io_write instead of these two, and, where the daemon does not answer,
 * "stale": why, which is also said on stderr. Owned by the caller; NULL: there is no libvirt to
 * ask.
 */
json_t *foreign_list(const struct cli *c, const struct dirs *d, bool figures);
/*
 * The same in pieces, for who has something else to ask and to show meanwhile, in this order.
 * end() in any case: what was not heard is not waited for.
 */
struct foreign_question;
struct foreign_question *foreign_begin(bool figures);
json_t *foreign_hear(const struct cli *c, const struct dirs *d, struct foreign_question *q);
void foreign_end(struct foreign_question *q); /* NULL is fine */

/*
 * A verb of cofferdam-domain for "libvirt:NAME": stop, kill, pause, … Without "@URI" every place is
 * asked first: where several have it, or one could not be asked, nothing is done. The process's
 * exit status.
 */
int foreign_control(const struct cli *c, const char *word, const char *verb);
bool foreign_is(const char *word);
/*
 * cofferdam-domain with these words, FOREIGN_WORDS_MOST at most, up to a NULL. What it prints, the
 * caller's, may go to NULL; what it fails with is the error.
 */
enum { FOREIGN_WORDS_MOST = 6 };
int foreign_tell(const char *const *words, unsigned timeout_ms, char **ret_said, struct error *e);
/*
 * The one place "libvirt:NAME" means, with the domain's name out of it (the caller's); `*ret_place`
 * is in `places`, which are the caller's on success.
 */
struct foreign_places;
struct foreign_place;
int foreign_resolve(const char *word, struct foreign_places *places,
                    const struct foreign_place **ret_place, char **ret_name, struct error *e);

/*
 * Where domains may be: this host's session and system where their sockets lie,
 * LIBVIRT_DEFAULT_URI, and every machine.uri of a profile that is not shipped.
 */
struct foreign_place {
    char *uri;       /* owned */
    bool silent;     /* nobody listens at its socket */
    bool asked;      /* by begin() */
    json_t *domains; /* owned; NULL: not asked, or no answer: */
    char *why;       /* owned */
};
struct foreign_places {
    struct foreign_place *of; /* owned */
    size_t count;
};
void foreign_places_find(struct foreign_places *ret);
/* This host's own that are not among `known`: no socket lies there. With their `why`. */
void foreign_places_absent(const struct foreign_places *known, struct foreign_places *ret);
/* At once; three seconds at most. One that hung is not asked again for half a minute. */
void foreign_places_ask(struct foreign_places *p, bool figures);
/*
 * The same in pieces. begin(): false: nobody is asked. hear() takes what begin() has given, or
 * NULL; spawn_run_end() is then the caller's.
 */
bool foreign_places_begin(struct foreign_places *p, bool figures, struct spawn_running *ret);
void foreign_places_hear(struct foreign_places *p, struct spawn_running *s);
void foreign_places_done(struct foreign_places *p);

#endif
