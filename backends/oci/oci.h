/* Runtimes with the OCI command line: crun, runc, runsc, and whatever a person names by path. */
#ifndef COFFERDAM_BACKENDS_OCI_OCI_H
#define COFFERDAM_BACKENDS_OCI_OCI_H

#include "backends/backend.h"
#include "backends/launch.h"

extern const struct backend crun_backend, runc_backend, runsc_backend; /* for the CLI and the TUI */
extern const struct backend oci_path_backend;  /* for a runtime that is a path; a container */
extern const struct launch_ops oci_launch_ops; /* for the monitor; all of them */

#endif
