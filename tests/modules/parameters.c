/* A module that uses what mod_parp offers: the parameters of a request and its body. With -DPARP it is called mod_parp.c itself and offers them. */
#include "httpd.h"
#include "http_config.h"
#include "http_protocol.h"
#include "apr_optional.h"
#include "apr_strings.h"

APR_DECLARE_OPTIONAL_FN(apr_table_t *, parp_hp_table, (request_rec *));
APR_DECLARE_OPTIONAL_FN(const char *, parp_body_data, (request_rec *, apr_size_t *));

#ifdef PARP
static apr_table_t *parp_hp_table(request_rec *r)
{
    apr_table_t *table = apr_table_make(r->pool, 1);

    apr_table_add(table, "of", "mod_parp");
    return table;
}

static const char *parp_body_data(request_rec *r, apr_size_t *length)
{
    *length = 0;
    return NULL;
}
#else
static APR_OPTIONAL_FN_TYPE(parp_hp_table) *table_of;
static APR_OPTIONAL_FN_TYPE(parp_body_data) *body_of;

static int post_config(apr_pool_t *pconf, apr_pool_t *plog, apr_pool_t *ptemp, server_rec *s)
{
    table_of = APR_RETRIEVE_OPTIONAL_FN(parp_hp_table);
    body_of = APR_RETRIEVE_OPTIONAL_FN(parp_body_data);
    return OK;
}

/* Asks for the body by a note, as other modules do. */
static int header_parser(request_rec *r)
{
    if (apr_table_get(r->headers_in, "X-Note"))
        apr_table_setn(r->notes, "parp", "parameters");
    return DECLINED;
}

static int print(void *r, const char *name, const char *value)
{
    ap_rprintf(r, "%s=%s\n", name, value);
    return 1;
}

static int handler(request_rec *r)
{
    apr_size_t length = 4711;
    apr_table_t *table;
    const char *body;

    if (!r->handler || strcmp(r->handler, "parameters"))
        return DECLINED;
    ap_set_content_type(r, "text/plain");
    if (!table_of || !body_of) {
        ap_rputs("no functions\n", r);
        return OK;
    }
    table = table_of(r);
    if (!table)
        ap_rputs("no table\n", r);
    else
        apr_table_do(print, r, table, NULL);
    /* The same table each time. */
    ap_rprintf(r, "%s\n", table == table_of(r) ? "same" : "another");
    body = body_of(r, &length);
    if (!body)
        ap_rprintf(r, "no body, %" APR_SIZE_T_FMT "\n", length);
    else
        ap_rprintf(r, "body of %" APR_SIZE_T_FMT ": %s, %s\n", length, apr_pstrndup(r->pool, body, length < 5 ? length : 5), body[length] ? "?" : "NUL");
    return OK;
}
#endif

static void register_hooks(apr_pool_t *pool)
{
#ifdef PARP
    APR_REGISTER_OPTIONAL_FN(parp_hp_table);
    APR_REGISTER_OPTIONAL_FN(parp_body_data);
#else
    ap_hook_post_config(post_config, NULL, NULL, APR_HOOK_MIDDLE);
    ap_hook_header_parser(header_parser, NULL, NULL, APR_HOOK_FIRST);
    ap_hook_handler(handler, NULL, NULL, APR_HOOK_MIDDLE);
#endif
}

#ifdef PARP
#define MODULE_NAME "mod_parp.c"
#define RECORD parp_module
#else
#define MODULE_NAME "mod_parameters.c"
#define RECORD parameters_module
#endif

module AP_MODULE_DECLARE_DATA RECORD = {
    MODULE_MAGIC_NUMBER_MAJOR, MODULE_MAGIC_NUMBER_MINOR, -1, MODULE_NAME, NULL, NULL, MODULE_MAGIC_COOKIE, NULL,
    NULL, NULL, NULL, NULL, NULL, register_hooks
};
