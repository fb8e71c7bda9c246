/* A module that takes part in decoding what the rules of mod_qos look at. */
#include "httpd.h"
#include "http_config.h"
#include "apr_strings.h"
#include "mod_qos_hooks.h"

static int is_asked(request_rec *r, const char *what)
{
    const char *header = apr_table_get(r->headers_in, "X-Decode");

    return header && !strcmp(header, what);
}

/* /alias/x is /real/x. */
static int path(request_rec *r, char **path, int *length)
{
    if (*length < 6 || memcmp(*path, "/alias", 6))
        return DECLINED;
    *path = apr_pstrcat(r->pool, "/real", *path + 6, NULL);
    *length -= 1;
    return OK;
}

/* ! is %, and ' is ", in place; another text where that is asked for. */
static int query(request_rec *r, char **query, int *length)
{
    int i;

    if (is_asked(r, "null")) {
        *query = NULL;
        return OK;
    }
    if (is_asked(r, "negative")) {
        *length = -1;
        return OK;
    }
    if (is_asked(r, "stop"))
        return HTTP_BAD_REQUEST;
    for (i = 0; i < *length; i++) {
        if ((*query)[i] == '!')
            (*query)[i] = '%';
        else if ((*query)[i] == '\'')
            (*query)[i] = '"';
    }
    return OK;
}

/* Comes next: a NUL in front, which ends nothing. */
static int more(request_rec *r, char **query, int *length)
{
    char *longer = apr_palloc(r->pool, *length + 3);

    if (!is_asked(r, "more") && !is_asked(r, "stop"))
        return DECLINED;
    longer[0] = 0;
    memcpy(longer + 1, *query, *length + 1);
    longer[*length + 1] = 'Z';
    *length += 2;
    *query = longer;
    return OK;
}

static void register_hooks(apr_pool_t *pool)
{
    APR_OPTIONAL_HOOK(qos, path_decode_hook, path, NULL, NULL, APR_HOOK_MIDDLE);
    APR_OPTIONAL_HOOK(qos, query_decode_hook, more, NULL, NULL, APR_HOOK_LAST);
    APR_OPTIONAL_HOOK(qos, query_decode_hook, query, NULL, NULL, APR_HOOK_FIRST);
}

module AP_MODULE_DECLARE_DATA decoding_module = {
    MODULE_MAGIC_NUMBER_MAJOR, MODULE_MAGIC_NUMBER_MINOR, -1, "mod_decoding.c", NULL, NULL, MODULE_MAGIC_COOKIE, NULL,
    NULL, NULL, NULL, NULL, NULL, register_hooks
};
