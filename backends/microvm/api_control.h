/* The slots of struct vmm_driver that are the same for all who are driven by an HTTP API. */
#ifndef COFFERDAM_BACKENDS_MICROVM_API_CONTROL_H
#define COFFERDAM_BACKENDS_MICROVM_API_CONTROL_H

#include "backends/microvm/api.h"
#include "backends/microvm/driver.h"

struct vmm_control *api_control_new(int socket, const char *name);
void api_control_free(struct vmm_control *c);
int api_control_fd(const struct vmm_control *c);
void api_control_dispatch(struct vmm_control *c);

/* The control of such a driver is this. */
struct api *api_of(struct vmm_control *c);

#define VMM_API_CONTROL                                                              \
    .meets = true, .control_new = api_control_new, .control_free = api_control_free, \
    .control_fd = api_control_fd, .control_dispatch = api_control_dispatch

#endif
