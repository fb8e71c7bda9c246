//! Inputs and expected verdicts (filters.md sections 4.1, 16.1 and 16.2), for the tests of this crate and for those against httpd.

/// The reference configuration of section 16, its part about URLs.
pub const CONFIGURATION: &str = r#"
<Location /app>
  QS_InvalidUrlEncoding deny
  QS_DenyRequestLine +rl1 deny "[\x00-\x1f]"
  QS_DenyPath        +pa1 deny "^/app/admin"
  QS_DenyQueryBody   on
  QS_DenyQuery       +qu1 deny "union\s+select|drop\s+table"
  QS_DenyQuery       +qu2 deny "<script"
  QS_DenyQuery       +qu3 deny "exec.+\("
</Location>
<Location /app/uni>
  QS_Decoding uni
</Location>
<Location /shop>
  QS_PermitUriBody on
  QS_PermitUri +pe1 deny "^/shop/item(\?id=[0-9]{1,6})?$"
  QS_PermitUri +pe2 deny "^/shop/search\?q=[a-zA-Z0-9 ]{1,40}$"
</Location>
"#;

/// The configuration of examples 15.1 and 15.3.
pub const INHERITANCE: &str = r#"
<Location />
  QS_DenyPath  +p1 deny "\.bak$"
  QS_DenyQuery +q1 log  "debug="
</Location>
<Location /tools>
  QS_DenyPath  -p1 deny "x"
  QS_DenyQuery +q1 deny "debug="
</Location>
<Location /tools/raw>
  QS_DenyInheritanceOff
  QS_DenyQuery +q2 deny "trace="
</Location>
"#;

/// A row: its number, the target of a GET, and the rule or message that denies it; `None`: it passes.
pub type Row = (&'static str, &'static str, Option<&'static str>);

/// The targets of sections 16.1 and 16.2. `{PAD}` stands for [`PAD`].
pub const TARGETS: &[Row] = &[
    ("U1", "/app/list?sort=name&page=2", None),
    ("U2", "/app/list?q=union%20station", None),
    ("U3", "/app/list?q=caf%c3%a9", None),
    ("U4", "/app/list?q=100%25", None),
    ("U5", r#"/app/list?q=a\b"#, None),
    ("U6", "/app/list", None),
    ("U7", "/app/list?", None),
    ("U8", "/app/list?q=1%20UNION%20SELECT%20a", Some("qu1")),
    ("U9", "/app/list?q=1+union+select+a", Some("qu1")),
    ("U10", "/app/list?q=1%09union%0bselect", Some("rl1")),
    ("U11", "/app/list?q=1/**/union/**/select", None),
    ("U12", "/app/list?q=drop%20%20table", Some("qu1")),
    ("U13", "/app/list?q=%3cscript%3e", Some("qu2")),
    ("U14", "/app/list?q=%3Cs%63ript", Some("qu2")),
    ("U15", r#"/app/list?q=\x3cscript"#, Some("qu2")),
    ("U16", r#"/app/list?q=\X3cscript"#, None),
    ("U17", "/app/list?q=%253cscript", Some("qu2")),
    ("U18", "/app/list?q=%25253cscript", Some("qu2")),
    ("U19", "/app/list?q=%2575nion%20select", Some("qu1")),
    ("U20", "/app/list?q=%00<script>", Some("rl1")),
    ("U21", "/app/list?q=<scr%00ipt>", Some("rl1")),
    ("U22", "/app/list?q=&lt;script&gt;", None),
    ("U23", "/app/list?q=%c0%bcscript", None),
    ("U24", "/app/list?q=100%", Some("046")),
    ("U25", "/app/list?q=%zz", Some("046")),
    ("U26", "/app/list?q=%4", Some("046")),
    ("U27", r#"/app/list?q=C:\xdir"#, Some("046")),
    ("U28", "/app/list?q=%u0075nion%20select", Some("046")),
    ("U29", "/app/uni/a?q=%u0075nion%20select", Some("qu1")),
    ("U30", r#"/app/uni/a?q=\u0075NION%20select"#, Some("qu1")),
    ("U31", "/app/uni/a?q=%uff1cscript", Some("qu2")),
    ("U32", "/app/uni/a?q=%u003Cscript", Some("qu2")),
    ("U33", "/app/uni/a?q=%u3cscript", Some("046")),
    ("U34", "/app/uni/a?q=%u0155nion%20select", Some("qu1")),
    ("U35", "/app/list?exec=cmd(x)", Some("qu3")),
    ("U36", "/app/list?exec=cmd(x)&p={PAD}", Some("qu3")),
    ("U37", "/app/list?q=union%20select&p={PAD}", Some("qu1")),
    ("U38", "/app/list?q=a%0d%0aSet-Cookie:x", Some("rl1")),
    ("U39", "/app/admin", Some("pa1")),
    ("U40", "/app/ADMIN/x", Some("pa1")),
    ("U41", "/app/%61dmin", Some("pa1")),
    ("U42", "/app/admin;v=1", Some("pa1")),
    ("U43", "/app/%2561dmin", Some("pa1")),
    ("U44", "/app//admin", Some("pa1")),
    ("U45", "/app/./admin", Some("pa1")),
    ("U46", "/app/x/../admin", Some("pa1")),
    ("U47", "/app/administration", Some("pa1")),
    ("U48", "/app/list?p=/app/admin", None),
    ("U49", "/app/admi+n", None),
    ("P1", "/shop/item", None),
    ("P2", "/shop/item?id=123", None),
    ("P3", "/shop/item?id=%31%32", None),
    ("P4", "/shop/item?id=1234567", Some("041")),
    ("P5", "/shop/item?id=12a", Some("041")),
    ("P6", "/shop/item?id=123&x=1", Some("041")),
    ("P7", "/shop/item?ID=1", Some("041")),
    ("P8", "/shop/Item", Some("041")),
    ("P9", "/shop/item?", Some("041")),
    ("P10", "/shop/item?id=1%0a", Some("041")),
    ("P11", "/shop/item?id=1%00", Some("041")),
    ("P12", "/shop/search?q=hello+world", None),
    ("P13", "/shop/search?q=hello%20world", None),
    ("P14", "/shop/search?q=%68ello", None),
    ("P15", "/shop/search?q=%3Cscript", Some("041")),
    ("P16", "/shop/search?q=caf%c3%a9", Some("041")),
    ("P17", "/shop/search", Some("041")),
    ("P18", "/shop/./item?id=1", Some("041")),
    ("P19", "/shop/item?evil=1#id=1", Some("041")),
    ("P20", "/shop/other", Some("041")),
    ("P21", "/shop/search?q=a&q=b", Some("041")),
];

/// Filler that exhausted match limits of earlier times.
pub const PAD: usize = 1500;

/// The target of a row.
pub fn target(row: &Row) -> String {
    row.1.replace("{PAD}", &"x".repeat(PAD))
}

/// What comes of one pass of decoding, and the number of errors.
pub type Decoded = (&'static [u8], u32);

/// An input, what comes of it without `uni`, and with it; `None`: the same.
pub type Vector = (&'static str, Decoded, Option<Decoded>);

/// The vectors of section 4.1. A request line can carry each of these inputs: none has a control
/// character or a blank in it; such bytes (NUL in 8 and 25, blanks in 15, 0x15 in 27) come of decoding only.
pub const DECODED: &[Vector] = &[
    ("a%41b", (b"aAb", 0), None),
    ("%2541", (b"%41", 0), None),
    ("%25%34%31", (b"%41", 0), None),
    ("%zz", (b"%zz", 1), None),
    ("%4", (b"%4", 1), None),
    ("%", (b"%", 1), None),
    ("%%41", (b"%A", 1), None),
    ("%00x", (b"\0x", 0), None),
    ("%c0%af", (b"\xc0\xaf", 0), None),
    (r"\x41", (b"A", 0), None),
    (r"\X41", (br"\X41", 0), None),
    (r"\x4", (br"\x4", 1), None),
    (r"\x", (br"\x", 1), None),
    (r"a\b", (br"a\b", 0), None),
    ("+a+", (b" a ", 0), None),
    ("%u0041", (b"%u0041", 1), Some((b"A", 0))),
    ("%U0041", (b"%U0041", 1), Some((b"A", 0))),
    ("%u003", (b"%u003", 1), None),
    ("%u00", (b"%u00", 1), None),
    (r"\u0041", (br"\u0041", 0), Some((b"A", 0))),
    (r"\u0", (br"\u0", 0), Some((br"\u0", 1))),
    ("%uff1c", (b"%uff1c", 1), Some((b"<", 0))),
    ("%uFF5e", (b"%uFF5e", 1), Some((b"~", 0))),
    ("%uff5f", (b"%uff5f", 1), Some((b"_", 0))),
    ("%uff00", (b"%uff00", 1), Some((b"\0", 0))),
    ("%u0153", (b"%u0153", 1), Some((b"S", 0))),
    ("%u2215", (b"%u2215", 1), Some((b"\x15", 0))),
];
