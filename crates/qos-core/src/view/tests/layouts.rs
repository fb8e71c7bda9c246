//! Exact layouts: `?auto`, metrics, JSON.

use super::super::snapshot::Snapshot;
use super::super::{auto, json, metrics};
use super::fixtures::{e16, full, nothing};

fn lines(snapshot: &Snapshot) -> String {
    String::from_utf8(auto::render(snapshot)).unwrap()
}

/// Example E16.
#[test]
fn one_server_with_two_clients() {
    let ids = [
        "010", "011", "012", "013", "021", "023", "025", "030", "031", "034", "035", "036", "037", "040", "041", "042", "043", "044", "045", "046", "047",
        "048", "049", "050", "051", "060", "061", "062", "065", "066", "067", "068", "069", "101", "147",
    ];
    let events = ids.map(|id| format!("e;mod_qos({id});new: 0\ne;mod_qos({id});total: 0\n")).concat();
    let expected = format!("b;system.load: 0.31\nb;www.example.net;0;QS_AllConn: 2\nb;www.example.net;0;QS_SrvMaxConn;100[]: 2\n{events}");
    assert_eq!(lines(&e16()), expected);
}

#[test]
fn everything() {
    let found = lines(&Snapshot { events: None, ..full() });
    let long = "long/".repeat(20);
    let expected = format!(
        "b;system.load: 1.33
b;clientContentTypes(html,css/js,images,other,304): 100 101 102 103 104
b;www.example.net;0;QS_AllConn: 95
b;www.example.net;0;QS_ClientPrefer;320[]: 95
b;www.example.net;0;QS_LocRequestLimit;10[/app]: 10
b;www.example.net;0;QS_LocRequestPerSecLimit;12[/app]: 3
b;www.example.net;0;QS_LocKBytesPerSecLimit;13[/app]: 14
b;www.example.net;0;QS_LocRequestLimitMatch;11[^/(a|b)<x>\"]: 9
b;www.example.net;0;QS_CondLocRequestLimitMatch;5[^/{long}$]: 1
b;www.example.net;0;QS_EventRequestLimit;3[var=(VARA=^x$)]: 0
b;www.example.net;0;QS_EventPerSecLimit;4[var=[VARB]]: 0
b;www.example.net;0;QS_EventKBytesPerSecLimit;5[var={{VARC}}]: 6
b;www.example.net;0;QS_LocRequestLimit;20[/watched]: 4
b;www.example.net;0;QS_LocRequestPerSecLimit;6[/watched]: 0
b;www.example.net;0;QS_EventLimitCount;6/60[VARD]: 6
b;www.example.net;0;QS_CondEventLimitCount;7/61[VARE]: 0
b;www.example.net;0;QS_EventLimitCount;8/62[VARF]: 0
b;www.example.net;0;QS_LogOnlyRule;QS_LocRequestLimit[/watched]: 17
b;www.example.net;0;QS_LogOnlyRule;QS_LocRequestPerSecLimit[/watched]: 17
b;www.example.net;0;QS_LogOnlyRule;QS_EventLimitCount[VARF]: 5
b;www.example.net;0;QS_SrvMaxConn;100[]: 95
b;www.example.net;0;QS_SrvMaxConnClose;95[]: 95
b;www.example.net;0;QS_SrvMaxConnPerIP;192.0.2.7: 50
b;www.example.net;0;QS_SrvMaxConnPerIP;2001:db8::1: 1
v;v.example;18081;QS_SrvMaxConn;7[]: 0
"
    );
    assert_eq!(found, expected);
    assert!(lines(&full()).contains("\ne;mod_qos(147);new: 1\ne;mod_qos(147);total: 147\n"));
}

#[test]
fn what_is_unknown_is_left_out() {
    assert_eq!(lines(&nothing()), "");
}

#[test]
fn metrics_of_everything() {
    let text = metrics::render(&full());
    for line in [
        "# TYPE qos_build info",
        "qos_build_info{version=\"1.2.3\"} 1",
        "# TYPE qos_connections gauge\n# UNIT qos_connections connections\n# HELP qos_connections Open TCP connections of all servers.\nqos_connections 95",
        "qos_clients 46",
        "qos_capacity_connections 400",
        "qos_server_connections{server=\"www.example.net:0\",kind=\"base\"} 95",
        "qos_server_limit_connections{server=\"v.example:18081\",kind=\"virtual\",rule=\"QS_SrvMaxConn\"} 7",
        "qos_log_only 1",
        "qos_system_load 1.33",
        "qos_workers{state=\"finishing\"} 10",
        "qos_client_table_capacity_entries 50000",
        "qos_client_table_used_entries 46000",
        "qos_client_table_vip_entries 12",
        "qos_client_table_bytes 6400000",
        "qos_client_table_evictions_total{kind=\"idle\"} 17",
        "# TYPE qos_denials counter",
        "qos_denials_total{id=\"031\",rule=\"QS_SrvMaxConnPerIP\"} 5",
        "qos_delays_total{rule=\"QS_LocRequestPerSecLimit\"} 4",
        "# UNIT qos_delay_seconds seconds",
        "qos_delay_seconds_total{rule=\"QS_LocRequestPerSecLimit\"} 1.5",
        "qos_data_rate_cuts_total 9",
        "qos_rule_log_only{server=\"www.example.net:0\",kind=\"base\",rule=\"QS_LocRequestLimit\",text=\"/watched\"} 1",
        "qos_rule_log_only{server=\"www.example.net:0\",kind=\"base\",rule=\"QS_LocRequestLimit\",text=\"/app\"} 0",
        "qos_rule_actions_total{server=\"www.example.net:0\",kind=\"base\",rule=\"QS_LocRequestLimit\",text=\"/watched\",mode=\"enforced\"} 2",
        "qos_rule_actions_total{server=\"www.example.net:0\",kind=\"base\",rule=\"QS_LocRequestLimit\",text=\"/watched\",mode=\"log_only\"} 17",
        "qos_rule_limit{server=\"www.example.net:0\",kind=\"base\",rule=\"QS_LocRequestLimitMatch\",text=\"^/(a|b)<x>\\\"\"} 11",
        "qos_rule_current{server=\"www.example.net:0\",kind=\"base\",rule=\"QS_LocRequestLimit\",text=\"/app\"} 10",
        "qos_events_total{id=\"147\"} 147",
        "qos_geo_ranges{family=\"ipv6\"} 3",
    ] {
        assert!(text.contains(&format!("{line}\n")), "{line} is missing in\n{text}");
    }
    assert!(text.ends_with("\n# EOF\n"));
}

#[test]
fn the_same_labels_twice_get_a_number() {
    let mut twice = full();
    twice.servers.push(twice.servers[1].clone());
    let again = twice.servers[0].rules[0].clone();
    twice.servers[0].rules.push(again);
    let text = metrics::render(&twice);
    assert!(text.contains("qos_server_connections{server=\"v.example:18081 (2)\",kind=\"virtual\"} 0\n"));
    assert!(text.contains("rule=\"QS_LocRequestLimit\",text=\"/app\",nth=\"2\"} 10\n"));
    let samples = text.lines().filter(|line| !line.starts_with('#')).filter_map(|line| line.rsplit_once(' ')).map(|(name, _)| name).collect::<Vec<_>>();
    let unique = samples.iter().collect::<std::collections::HashSet<_>>();
    assert_eq!(samples.len(), unique.len());
}

#[test]
fn documents_follow_the_schema() {
    let schema = serde_json::from_str(include_str!("../../../../../docs/viewer.schema.json")).unwrap();
    assert!(jsonschema::meta::is_valid(&schema));
    let validator = jsonschema::validator_for(&schema).unwrap();
    let not_found = Snapshot { search: full().search.map(|search| super::super::Search { entry: None, ..search }), ..full() };
    for snapshot in [nothing(), e16(), full(), not_found] {
        let document = serde_json::from_str(&json(&snapshot)).unwrap();
        let errors = validator.iter_errors(&document).map(|error| format!("{}: {error}", error.instance_path())).collect::<Vec<_>>();
        assert!(errors.is_empty(), "{errors:?}");
    }
    // The schema is not one that takes anything.
    let mut document: serde_json::Value = serde_json::from_str(&json(&full())).unwrap();
    document["servers"][0]["rules"][0]["kind"] = "other".into();
    assert!(!validator.is_valid(&document));
}
