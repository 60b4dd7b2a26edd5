use super::*;

#[test]
fn forms_of_each_kind_of_stamp() {
    for (cell, formats) in [
        (
            "14.11.23 22:13:20",
            &["%d.%m.%y %H:%M:%S%.f", "%y.%m.%d %H:%M:%S%.f"][..],
        ),
        (
            "14-Nov-23 22:13:20.000",
            &["%d-%b-%y %H:%M:%S%.f", "%y-%b-%d %H:%M:%S%.f"],
        ),
        (
            "14/11/2023 10:13:20 pm",
            &["%m/%d/%Y %I:%M:%S%.f %p", "%d/%m/%Y %I:%M:%S%.f %p"],
        ),
        ("Tue Nov 14 22:13:20 2023", &["%a %b %d %H:%M:%S%.f %Y"]),
        (
            "Tue, 14 Nov 2023 22:13:20 +0000",
            &["%a, %d %b %Y %H:%M:%S%.f %z"],
        ),
        ("14/Nov/2023:22:13:20 +0100", &["%d/%b/%Y:%H:%M:%S%.f %z"]),
        ("November 14, 2023 10:13 PM", &["%B %d, %Y %I:%M %p"]),
        ("2023:11:14 22:13:20", &["%Y:%m:%d %H:%M:%S%.f"]),
        ("2023:318:22:13:20", &["%Y:%j:%H:%M:%S%.f"]),
        ("20231114_221320", &["%Y%m%d_%H%M%S"]),
        (
            "22:13:20 14/11/2023",
            &["%H:%M:%S%.f %m/%d/%Y", "%H:%M:%S%.f %d/%m/%Y"],
        ),
        (
            "14.11.2023 22:13:20 CET",
            &["%d.%m.%Y %H:%M:%S%.f CET", "%m.%d.%Y %H:%M:%S%.f CET"],
        ),
    ] {
        let found = forms(cell);
        let found: Vec<&str> = found.iter().map(|f| f.format.as_str()).collect();
        assert_eq!(found, formats, "{cell}");
    }
    for cell in [
        "",
        "imu_link",
        "12 V",
        "-0.040097",
        "pump on",
        "14. März 2023",
        "22:13:20",
        "1.2.3.4",
    ] {
        assert!(forms(cell).is_empty(), "{cell}: {:?}", forms(cell));
    }
}
