/*
 * Whole machines through libvirt. Neither the CLI nor the monitor links it: cofferdam-domain does
 * (app/domains), one for each workload, which stands beside the monitor.
 */
#ifndef COFFERDAM_BACKENDS_LIBVIRT_LIBVIRT_H
#define COFFERDAM_BACKENDS_LIBVIRT_LIBVIRT_H

#include "backends/backend.h"
#include "backends/launch.h"

#define DOMAIN_PROGRAM "cofferdam-domain"

extern const struct backend libvirt_backend;       /* what the CLI sees */
extern const struct launch_ops libvirt_launch_ops; /* what the monitor sees */

/*
 * The environment libvirt's client needs, out of `env` (environ): where the session's daemon and
 * its settings are, and who is asked for a password. Owned by the caller.
 */
char **libvirt_client_env(char *const *env);
/* Who root and others talk to if nobody says. */
const char *libvirt_default_uri(uint32_t uid);
/*
 * Whether QEMU may be somebody else there than whoever asks: root's libvirt gives machines to an
 * account of their own, if qemu.conf does not say otherwise.
 */
bool libvirt_runs_as_another(const char *uri, uint32_t uid);

#endif
