//! Formats that are not read: what a file is, and the command that makes one of it that is read.
//!
//! Each is a line of [`BINARY`] or [`TEXT`]. In a command, `FILE` is the name of the file, and `STEM` that without its
//! extension.

mod looks;

use looks::{has_tag, is_candump, is_nmea, is_pickle, is_tlog};
use std::path::Path;

/// How a file is known.
enum By {
    /// Its first bytes, as one of these.
    Begin(&'static [&'static [u8]]),
    /// Bytes at a place.
    At(usize, &'static [u8]),
    /// Its first bytes, and others in its head.
    Has(&'static [u8], &'static [u8]),
    /// Its extension, for what has no first bytes of its own.
    Extension(&'static [&'static str]),
    /// Whatever tells.
    Looks(fn(&[u8]) -> bool),
}

/// How a file is known, what it is, and what to do.
type Known = (By, &'static str, &'static str);

/// A CAN log as JSON lines, by the signals of a DBC; python-can reads candump, .asc, .blf and .trc.
const CAN: &str = "JSON lines of its signals, by their DBC file: `pip install python-can cantools`, then `python3 -c \"import can, cantools, json; db = cantools.database.load_file('car.dbc'); ids = {m.frame_id for m in db.messages}; [print(json.dumps({'time': m.timestamp, **db.decode_message(m.arbitration_id, m.data, decode_choices=False)})) for m in can.LogReader('FILE') if m.arbitration_id in ids]\" > STEM.jsonl`";
const UNPACK_ZIP: &str = "an unpacked file: `unzip FILE`";
const PICTURE: &str = "a recording of numbers: a picture has no rows";

/// Binary formats.
const BINARY: &[Known] = &[
    (
        By::Begin(&[b"MATLAB 7.3 MAT-file"]),
        "a MATLAB file, version 7.3 (HDF5)",
        "a CSV: in MATLAB `writetable(struct2table(load('FILE')), 'STEM.csv')`; or a NumPy array: `python3 -c \"import h5py, numpy; numpy.save('STEM.npy', h5py.File('FILE')['NAME'][()].T)\"`",
    ),
    (
        By::Has(b"MATLAB ", b"MAT-file"),
        "a MATLAB file (MAT-file)",
        "a CSV: in MATLAB `writetable(struct2table(load('FILE')), 'STEM.csv')`; or a NumPy archive: `python3 -c \"import numpy, scipy.io as s; numpy.savez('STEM.npz', **{k: v.ravel() for k, v in s.loadmat('FILE').items() if k[0] != '_'})\"`",
    ),
    (
        By::Begin(&[b"\x89HDF\r\n\x1a\n"]),
        "an HDF5 file",
        "a NumPy array or a CSV: `python3 -c \"import h5py, numpy; f = h5py.File('FILE'); f.visit(print); numpy.save('STEM.npy', f['NAME'][()])\"`, with a NAME that it prints",
    ),
    (
        By::Has(b"FEA1", b"\0"),
        "a Feather file of version 1",
        "an Arrow file (Feather version 2): `python3 -c \"import pyarrow.feather as f; f.write_feather(f.read_table('FILE'), 'STEM.arrow')\"`",
    ),
    (
        By::Has(b"ORC", b"\0"),
        "an ORC file",
        "a Parquet file: `python3 -c \"import pandas; pandas.read_orc('FILE').to_parquet('STEM.parquet')\"`",
    ),
    (
        By::Begin(&[b"Obj\x01"]),
        "an Avro file",
        "JSON lines: `pip install fastavro`, then `fastavro FILE > STEM.jsonl`",
    ),
    (
        By::Begin(&[b"CDF\x01", b"CDF\x02"]),
        "a netCDF file",
        "a CSV: `python3 -c \"import xarray; xarray.open_dataset('FILE').to_dataframe().to_csv('STEM.csv')\"`",
    ),
    (
        By::Begin(&[b"MDF     "]),
        "an MDF file (ASAM, .mf4)",
        "a CSV: `python3 -c \"import asammdf; asammdf.MDF('FILE').to_dataframe(raster=0.01).to_csv('STEM.csv')\"` (asammdf of PyPI; raster is the time step in seconds)",
    ),
    (
        By::Begin(&[b"UnFinMF "]),
        "an MDF file that was not finished (ASAM, .mf4)",
        "a CSV: `python3 -c \"import asammdf; asammdf.MDF('FILE').to_dataframe(raster=0.01).to_csv('STEM.csv')\"` (asammdf of PyPI; raster is the time step in seconds)",
    ),
    (
        By::Has(b"TDSm", b"\0"),
        "a TDMS file of LabVIEW",
        "a CSV: `python3 -c \"import nptdms; nptdms.TdmsFile('FILE').as_dataframe(time_index=True).to_csv('STEM.csv')\"` (npTDMS of PyPI)",
    ),
    (
        By::Begin(&[b"root\0"]),
        "a ROOT file",
        "a CSV: `python3 -c \"import uproot; uproot.open('FILE')['TREE'].arrays(library='pd').to_csv('STEM.csv')\"`",
    ),
    (By::Has(b"LOGG", b"\0"), "a CAN log of Vector (.blf)", CAN),
    (
        By::Begin(&[
            b"\xd4\xc3\xb2\xa1",
            b"\xa1\xb2\xc3\xd4",
            b"\x4d\x3c\xb2\xa1",
        ]),
        "a network capture (pcap)",
        "a CSV of the fields that are needed: `tshark -r FILE -T fields -E header=y -E separator=, -e frame.time_epoch -e frame.len > STEM.csv`",
    ),
    (
        By::Begin(&[b"\x0a\x0d\x0d\x0a"]),
        "a network capture (pcapng)",
        "a CSV of the fields that are needed: `tshark -r FILE -T fields -E header=y -E separator=, -e frame.time_epoch -e frame.len > STEM.csv`",
    ),
    (
        By::Has(
            b"PK\x03\x04",
            b"mimetypeapplication/vnd.oasis.opendocument.spreadsheet",
        ),
        "a spreadsheet of LibreOffice (.ods)",
        "a CSV: `soffice --headless --convert-to csv FILE`",
    ),
    (
        By::Has(b"PK\x03\x04", b"xl/"),
        "an Excel file (.xlsx)",
        "a CSV: `soffice --headless --convert-to csv FILE`, or save it as CSV",
    ),
    (
        By::Has(b"PK\x03\x04", b"[Content_Types].xml"),
        "an Excel file (.xlsx) or another of Office",
        "a CSV: `soffice --headless --convert-to csv FILE`, or save it as CSV",
    ),
    (
        By::Begin(&[b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"]),
        "an Excel file (.xls)",
        "a CSV: `soffice --headless --convert-to csv FILE`, or save it as CSV",
    ),
    (By::Begin(&[b"PK\x03\x04"]), "a ZIP archive", UNPACK_ZIP),
    (
        By::Begin(&[b"PK\x05\x06"]),
        "an empty ZIP archive",
        "a recording",
    ),
    (
        By::Begin(&[b"\x1f\x8b"]),
        "gzip",
        "an unpacked file: `gunzip -k FILE`",
    ),
    (
        By::Begin(&[b"\x28\xb5\x2f\xfd"]),
        "zstd",
        "an unpacked file: `zstd -d FILE`",
    ),
    (
        By::Begin(&[b"\xfd7zXZ\0"]),
        "xz",
        "an unpacked file: `xz -dk FILE`",
    ),
    (
        By::Has(b"BZh", b"1AY&SY"),
        "bzip2",
        "an unpacked file: `bunzip2 -k FILE`",
    ),
    (
        By::Begin(&[b"\x04\x22\x4d\x18"]),
        "lz4",
        "an unpacked file: `lz4 -d FILE`",
    ),
    (
        By::Begin(&[b"7z\xbc\xaf\x27\x1c"]),
        "a 7z archive",
        "an unpacked file: `7z x FILE`",
    ),
    (
        By::Begin(&[b"Rar!\x1a\x07"]),
        "a RAR archive",
        "an unpacked file: `unrar x FILE`",
    ),
    (
        By::At(257, b"ustar"),
        "a tar archive",
        "an unpacked file: `tar xf FILE`",
    ),
    (
        By::Has(b"RRF", b"\0"),
        "a recording of Rerun (.rrd), which is for its viewer",
        "the MCAP of the same run: `becomingone run SCENE --record STEM.mcap`",
    ),
    (
        By::Looks(is_tlog),
        "a telemetry log of MAVLink (.tlog)",
        "a CSV of a kind of messages: `mavlogdump.py --format csv --types ATTITUDE FILE > STEM.csv` (pymavlink of PyPI)",
    ),
    (
        By::Begin(&[b"ULogEnc"]),
        "an encrypted ULog of PX4",
        "a ULog: PX4's `Tools/decrypt_ulog.py` decrypts it with your key",
    ),
    (
        By::Begin(&[b"H Product:Blackbox"]),
        "a Blackbox log of Betaflight",
        "a CSV: `blackbox_decode FILE` makes one",
    ),
    (
        By::Begin(&[b"\xed\xa1\xda\x01"]),
        "a log of LCM",
        "a CSV: `lcm.EventLog` of PyPI lcm reads it with your types",
    ),
    (
        By::Looks(is_pickle),
        "a pickle of Python",
        "a Parquet file: `python3 -c \"import pandas; pandas.read_pickle('FILE').to_parquet('STEM.parquet')\"`, if you trust the file: a pickle is code",
    ),
    (
        By::Has(b"RIFF", b"WAVE"),
        "a sound (.wav)",
        "a NumPy array: `python3 -c \"import numpy, scipy.io.wavfile as w; numpy.save('STEM.npy', w.read('FILE')[1])\"`",
    ),
    (
        By::Begin(&[b"\xb5\x62"]),
        "a log of u-blox receivers (UBX)",
        "JSON lines: `pip install pyubx2`, then `python3 -c \"import json, pyubx2; [print(json.dumps({k: v for k, v in vars(m).items() if k[0] != '_' and isinstance(v, (int, float))})) for _, m in pyubx2.UBXReader(open('FILE', 'rb')) if m and m.identity == 'NAV-PVT']\" > STEM.jsonl`",
    ),
    (By::Begin(&[b"\xff\xd8\xff"]), "a JPEG picture", PICTURE),
    (By::Begin(&[b"\x89PNG\r\n"]), "a PNG picture", PICTURE),
    (By::Begin(&[b"GIF8"]), "a GIF picture", PICTURE),
    (
        By::At(4, b"ftyp"),
        "a video",
        "a recording of numbers: a video has no rows",
    ),
    (
        By::Begin(&[b"\x1a\x45\xdf\xa3"]),
        "a video",
        "a recording of numbers: a video has no rows",
    ),
    (
        By::Begin(&[b"%PDF"]),
        "a PDF",
        "the table from which it was made: as CSV",
    ),
    (
        By::Begin(&[b"\x7fELF", b"MZ\x90\0"]),
        "a program",
        "a recording",
    ),
    (
        By::Begin(&[b"#ROSBAG", b"#ROSLOG"]),
        "a ROS 1 bag of another version than 2.0",
        "version 2.0: `rosbag fix FILE STEM.2.bag` makes it",
    ),
    (
        By::Extension(&["mat"]),
        "a MATLAB file",
        "a CSV: in MATLAB `writetable(struct2table(load('FILE')), 'STEM.csv')`; or a NumPy archive: `python3 -c \"import numpy, scipy.io as s; numpy.savez('STEM.npz', **{k: v.ravel() for k, v in s.loadmat('FILE').items() if k[0] != '_'})\"`",
    ),
];

/// Texts that are no table.
const TEXT: &[Known] = &[
    (
        By::Begin(&[b"version https://git-lfs.github.com/"]),
        "a pointer of Git LFS, not the file",
        "the file itself: `git lfs pull`",
    ),
    (By::Looks(is_candump), "a CAN log of candump", CAN),
    (
        By::Has(b"date ", b"base hex"),
        "a CAN log of Vector (.asc)",
        CAN,
    ),
    (
        By::Has(b"date ", b"base dec"),
        "a CAN log of Vector (.asc)",
        CAN,
    ),
    (
        By::Begin(&[b";$FILEVERSION"]),
        "a CAN log of PEAK (.trc)",
        CAN,
    ),
    (
        By::Looks(is_nmea),
        "sentences of a GNSS receiver (NMEA 0183)",
        "a CSV of the track: `gpsbabel -i nmea -f FILE -o unicsv -F STEM.csv`",
    ),
    (
        By::Looks(|head| has_tag(head, b"<!doctype html") || has_tag(head, b"<html")),
        "a page of the web",
        "the file itself: the page's own link to it (`Raw` on GitHub)",
    ),
    (
        By::Looks(|head| has_tag(head, b"<?xml")),
        "XML",
        "a CSV: `python3 -c \"import pandas; pandas.read_xml('FILE').to_csv('STEM.csv', index=False)\"`",
    ),
];

/// What a file is that is not read, and what to do; `None` if it may be a table.
pub(crate) fn find(head: &[u8], file: &Path) -> Option<(String, String)> {
    let extension = file
        .extension()
        .and_then(|e| e.to_str())
        .unwrap_or_default();
    let is = |by: &By| match by {
        By::Begin(begins) => begins.iter().any(|begin| head.starts_with(begin)),
        By::At(at, bytes) => head.get(*at..).is_some_and(|rest| rest.starts_with(bytes)),
        By::Has(begin, within) => {
            let near = &head[..head.len().min(4096)];
            head.starts_with(begin) && near.windows(within.len()).any(|w| w == *within)
        }
        By::Extension(extensions) => {
            // A table may have any name.
            extensions.iter().any(|e| e.eq_ignore_ascii_case(extension)) && head.contains(&0)
        }
        By::Looks(looks) => looks(head),
    };
    let (_, found, expected) = BINARY.iter().chain(TEXT).find(|(by, ..)| is(by))?;
    let name = |name: Option<&std::ffi::OsStr>| {
        name.map_or_else(|| "file".to_owned(), |n| n.to_string_lossy().into_owned())
    };
    let expected = expected
        .replace("FILE", &name(file.file_name()))
        .replace("STEM", &name(file.file_stem()));
    Some(((*found).to_owned(), expected))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_are_named_with_what_makes_a_table_of_them() {
        let tlog = {
            let packet = |t: u64| {
                let mut packet = t.to_be_bytes().to_vec();
                packet.extend([0xfd, 3, 0, 0, 7, 1, 1, 30, 0, 0, 1, 2, 3, 0xaa, 0xbb]);
                packet
            };
            [packet(1_700_000_000_000_000), packet(1_700_000_000_020_000)].concat()
        };
        for (file, head, what, way) in [
            (
                "log.mat",
                &b"MATLAB 5.0 MAT-file, Platform: GLNXA64\0"[..],
                "MATLAB",
                "STEM.npz",
            ),
            ("log.MAT", b"\0\0\0\0\x01\0\0\0", "MATLAB", "STEM.csv"),
            (
                "can.log",
                b"(1436509052.249713) can0 123#11223344\n",
                "candump",
                "cantools",
            ),
            (
                "can.txt",
                b"  vcan0  1F334455   [8]  11 22 33 44 55 66 77 88\n",
                "candump",
                "cantools",
            ),
            (
                "a.asc",
                b"date Mon Jan 1 00:00:00 2024\nbase hex  timestamps absolute\n",
                "Vector",
                "cantools",
            ),
            (
                "a.log",
                b"$GPGGA,123519,4807.038,N,01131.000,E,1,08,0.9,545.4,M,46.9,M,,*47\r\n",
                "NMEA",
                "STEM.csv",
            ),
            ("a.tlog", &tlog, "MAVLink", "mavlogdump.py --format csv"),
            ("a.pkl", b"\x80\x04\x95\x10\0\0\0", "pickle", "STEM.parquet"),
            (
                "a.csv",
                b"version https://git-lfs.github.com/spec/v1\noid sha256:0\n",
                "Git LFS",
                "git lfs pull",
            ),
            ("a.csv", b"\n<!DOCTYPE html>\n<html>", "web", "Raw"),
            (
                "a.xlsx",
                b"PK\x03\x04\x14\0\x06\0\x08\0\0\0!\0\0\0\0\0xl/workbook.xml",
                "Excel",
                "soffice",
            ),
            ("a.zip", b"PK\x03\x04\x14\0\0\0\0\0", "ZIP", "unzip FILE"),
            (
                "a.pcap",
                b"\xd4\xc3\xb2\xa1\x02\0\x04\0",
                "pcap",
                "STEM.csv",
            ),
            ("a.feather", b"FEA1\0\0\0\0", "Feather", "STEM.arrow"),
        ] {
            let (found, expected) = find(head, Path::new(file)).unwrap_or_else(|| panic!("{file}"));
            let (stem, _) = file.split_once('.').unwrap();
            let way = way.replace("FILE", file).replace("STEM", stem);
            assert!(found.contains(what), "{file}: {found}");
            assert!(expected.contains(&way), "{file}: {expected}");
        }
        // Tables are not taken for something else.
        for (file, head) in [
            ("a.csv", &b"time,x\n0,1\n"[..]),
            ("a.mat", b"1 2 3\n4 5 6\n"),
            ("a.csv", b"date,base hex\n1,2\n"),
            ("a.csv", b"root,leaf\n1,2\n"),
            ("a.csv", b"$time,x\n1,2\n"),
            ("a.csv", b"(s) a b\n1 2 3\n"),
            ("a.csv", b"MZ,x\n1,2\n"),
        ] {
            assert_eq!(find(head, Path::new(file)), None, "{file}");
        }
    }
}
