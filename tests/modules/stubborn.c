/* A handler that reads a body and answers whatever comes of that. */
#include "httpd.h"
#include "http_config.h"
#include "http_protocol.h"
#include "http_request.h"
#include "util_filter.h"
#include "apr_buckets.h"

static void read_all(request_rec *r)
{
    apr_bucket_brigade *bb = apr_brigade_create(r->pool, r->connection->bucket_alloc);
    int ends = 0;

    while (!ends && ap_get_brigade(r->input_filters, bb, AP_MODE_READBYTES, APR_BLOCK_READ, 8192) == APR_SUCCESS) {
        ends = !APR_BRIGADE_EMPTY(bb) && APR_BUCKET_IS_EOS(APR_BRIGADE_LAST(bb));
        apr_brigade_cleanup(bb);
    }
}

static int answer(request_rec *r)
{
    const char *what = r->args ? r->args : "";
    int n;

    if (!r->handler || strcmp(r->handler, "stubborn"))
        return DECLINED;
    if (!strncmp(what, "early", 5)) {
        ap_rputs("early\n", r);
        ap_rflush(r);
    }
    if (!strncmp(what, "nothing", 7)) {
        r->status = HTTP_NO_CONTENT;
        ap_rflush(r);
    }
    read_all(r);
    if (!strncmp(what, "400", 3))
        return HTTP_BAD_REQUEST;
    if (!strncmp(what, "408", 3))
        return HTTP_REQUEST_TIME_OUT;
    if (!strncmp(what, "early413", 8))
        return HTTP_REQUEST_ENTITY_TOO_LARGE;
    if (!strncmp(what, "redirect", 8)) {
        ap_internal_redirect("/small.txt", r);
        return OK;
    }
    if (!strncmp(what, "again", 5)) {
        ap_internal_redirect("/stubborn", r);
        return OK;
    }
    if (!strncmp(what, "empty", 5)) {
        r->status = HTTP_NO_CONTENT;
        ap_rflush(r);
        return OK;
    }
    for (n = 1; n <= 3; n++) {
        ap_rprintf(r, "after %d\n", n);
        ap_rflush(r);
    }
    return OK;
}

static void hooks(apr_pool_t *p)
{
    ap_hook_handler(answer, NULL, NULL, APR_HOOK_FIRST);
}

module AP_MODULE_DECLARE_DATA stubborn_module = { STANDARD20_MODULE_STUFF, NULL, NULL, NULL, NULL, NULL, hooks };
