#include "backends/microvm/api_control.h"

struct api *api_of(struct vmm_control *c)
{
    return (struct api *)c;
}

struct vmm_control *api_control_new(int socket, const char *name)
{
    return (struct vmm_control *)api_new(socket, name);
}

void api_control_free(struct vmm_control *c)
{
    api_free(api_of(c));
}

int api_control_fd(const struct vmm_control *c)
{
    return api_fd((const struct api *)c);
}

void api_control_dispatch(struct vmm_control *c)
{
    api_dispatch(api_of(c));
}
