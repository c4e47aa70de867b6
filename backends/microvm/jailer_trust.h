/* Whether root has Firecracker started by the jailer that lies beside it. */
#ifndef COFFERDAM_BACKENDS_MICROVM_JAILER_TRUST_H
#define COFFERDAM_BACKENDS_MICROVM_JAILER_TRUST_H

#include "base/error.h"

#include <sys/stat.h>

/* Beside the program itself, whatever links lead to it. Owned; NULL: there is none. */
char *jailer_beside(const char *program, struct stat *ret);

/*
 * It becomes root's process: it and all folders above it have to be root's, and nobody else's to
 * change (a folder further up may be everybody's with the sticky bit: what is root's in there stays
 * so). -EPERM with text, or what lstat(2) said.
 */
int jailer_trusted(const char *jailer, struct error *e);

/*
 * It makes device nodes and copies one file: -EPERM: root may not make nodes here (a container, a
 * user namespace); -ENOTSUP: `program` needs other files beside itself. With text.
 */
int jailer_fits(const char *program, struct error *e);

#endif
