"""The catalogue's versions, oldest first: each a list of statements that lead to the next.

Never edit one that has shipped; append. The place of a list is the version it makes.
"""

from __future__ import annotations

_FIRST = [
    """CREATE TABLE media (
        id INTEGER PRIMARY KEY,
        path TEXT NOT NULL UNIQUE,
        form TEXT NOT NULL,
        role TEXT NOT NULL,
        bytes INTEGER NOT NULL,
        changed_ns INTEGER NOT NULL,
        content TEXT NOT NULL,
        state TEXT NOT NULL,
        problem TEXT NOT NULL,
        codec TEXT NOT NULL,
        width INTEGER NOT NULL,
        height INTEGER NOT NULL,
        rate TEXT,
        first_frame INTEGER NOT NULL,
        length INTEGER NOT NULL,
        sample TEXT NOT NULL,
        space TEXT NOT NULL,
        timecode TEXT NOT NULL,
        pixel_aspect REAL NOT NULL,
        reel TEXT NOT NULL,
        flags TEXT NOT NULL,
        missing TEXT NOT NULL,
        scene TEXT NOT NULL,
        take TEXT NOT NULL,
        camera TEXT NOT NULL,
        roll TEXT NOT NULL,
        clip TEXT NOT NULL,
        metadata TEXT NOT NULL
    )""",
    "CREATE INDEX media_by_content ON media (content)",
    """CREATE TABLE parts (
        medium INTEGER NOT NULL REFERENCES media (id) ON DELETE CASCADE,
        n INTEGER NOT NULL,
        kind TEXT NOT NULL,
        first INTEGER NOT NULL,
        last INTEGER NOT NULL,
        PRIMARY KEY (medium, n)
    ) WITHOUT ROWID""",
    # Per frame of a medium: float16, one value a frame, from the medium's first frame on.
    """CREATE TABLE curves (
        medium INTEGER NOT NULL REFERENCES media (id) ON DELETE CASCADE,
        name TEXT NOT NULL,
        version INTEGER NOT NULL,
        curve BLOB NOT NULL,
        PRIMARY KEY (medium, name)
    ) WITHOUT ROWID""",
    # A small JPEG, its perceptual hash, and the pictures set-ups and duplicates are told by.
    """CREATE TABLE thumbnails (
        medium INTEGER NOT NULL REFERENCES media (id) ON DELETE CASCADE,
        part INTEGER NOT NULL,
        frame INTEGER NOT NULL,
        jpeg BLOB NOT NULL,
        hashes BLOB NOT NULL,
        layout BLOB NOT NULL,
        PRIMARY KEY (medium, part)
    )""",
    """CREATE TABLE shots (
        name TEXT PRIMARY KEY,
        script_scene TEXT NOT NULL,
        scene TEXT NOT NULL,
        take TEXT NOT NULL,
        camera TEXT NOT NULL,
        roll TEXT NOT NULL,
        clip TEXT NOT NULL,
        setup TEXT NOT NULL,
        first INTEGER NOT NULL,
        last INTEGER NOT NULL,
        side TEXT NOT NULL,
        because TEXT NOT NULL,
        flags TEXT NOT NULL,
        train INTEGER NOT NULL,
        approved_by TEXT NOT NULL,
        family TEXT NOT NULL,
        exposure_ev REAL,
        white_k REAL,
        motion_px REAL,
        focus REAL
    ) WITHOUT ROWID""",
    """CREATE TABLE links (
        shot TEXT NOT NULL REFERENCES shots (name) ON DELETE CASCADE,
        n INTEGER NOT NULL,
        medium INTEGER NOT NULL REFERENCES media (id) ON DELETE CASCADE,
        role TEXT NOT NULL,
        first INTEGER NOT NULL,
        last INTEGER NOT NULL,
        shift INTEGER NOT NULL,
        PRIMARY KEY (shot, n)
    ) WITHOUT ROWID""",
    # The side each scene (or take of a small show) was first given; never changed by a scan.
    """CREATE TABLE sides (
        unit TEXT PRIMARY KEY,
        side TEXT NOT NULL,
        by_take INTEGER NOT NULL
    ) WITHOUT ROWID""",
    # What people said of a clip, by content, so that it outlives moves and rescans.
    """CREATE TABLE marks (
        content TEXT PRIMARY KEY,
        train INTEGER,
        approved_by TEXT NOT NULL,
        note TEXT NOT NULL
    ) WITHOUT ROWID""",
    # Whether a reader's random access was seen to agree with its sequential one.
    """CREATE TABLE checks (
        content TEXT NOT NULL,
        reader TEXT NOT NULL,
        agrees INTEGER NOT NULL,
        PRIMARY KEY (content, reader)
    ) WITHOUT ROWID""",
    # What could not be used or does not fit together, a line each.
    """CREATE TABLE problems (
        path TEXT NOT NULL,
        kind TEXT NOT NULL,
        what TEXT NOT NULL,
        PRIMARY KEY (path, kind, what)
    ) WITHOUT ROWID""",
    "CREATE TABLE settings (name TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID",
    "CREATE TABLE log (at TEXT NOT NULL, what TEXT NOT NULL)",
]

# What people approved, and when: fits, clips and rendered frames, by content.
_APPROVALS = [
    """CREATE TABLE approvals (
        id INTEGER PRIMARY KEY,
        what TEXT NOT NULL,
        name TEXT NOT NULL,
        content TEXT NOT NULL,
        approved_by TEXT NOT NULL,
        note TEXT NOT NULL,
        at TEXT NOT NULL
    )""",
]

# What people said of fits on a shot's frame in a report: picks and notes.
_REMARKS = [
    """CREATE TABLE remarks (
        id INTEGER PRIMARY KEY,
        what TEXT NOT NULL,
        shot TEXT NOT NULL,
        frame INTEGER NOT NULL,
        fit TEXT NOT NULL,
        content TEXT NOT NULL,
        said_by TEXT NOT NULL,
        note TEXT NOT NULL,
        at TEXT NOT NULL
    )""",
]

# What the catalogue measures of a shot, kept by content so that it outlives moves and rescans; what
# a person chose as hero; and what is searched, made anew from both whenever either changed.
_MEASURES = [
    """CREATE TABLE measures (
        content TEXT NOT NULL,
        first INTEGER NOT NULL,
        version TEXT NOT NULL,
        role TEXT NOT NULL,
        exposure_ev REAL,
        clipped REAL,
        contrast_ev REAL,
        white_k REAL,
        tint_duv REAL,
        key_azimuth_deg REAL,
        key_elevation_deg REAL,
        key_softness_deg REAL,
        key_fill_ev REAL,
        light_sure REAL,
        focus REAL,
        motion_px REAL,
        shake_px REAL,
        flicker_ev REAL,
        grain REAL,
        lens TEXT NOT NULL,
        words TEXT NOT NULL,
        curves TEXT NOT NULL,
        look BLOB NOT NULL,
        PRIMARY KEY (content, first)
    ) WITHOUT ROWID""",
    """CREATE TABLE heroes (
        content TEXT NOT NULL,
        first INTEGER NOT NULL,
        PRIMARY KEY (content, first)
    ) WITHOUT ROWID""",
    """CREATE TABLE found (
        id INTEGER PRIMARY KEY,
        shot TEXT NOT NULL,
        exposure_ev REAL, clipped REAL, contrast_ev REAL, white_k REAL, tint_duv REAL,
        key_azimuth_deg REAL, key_elevation_deg REAL, key_softness_deg REAL, key_fill_ev REAL,
        focus REAL, motion_px REAL, shake_px REAL, flicker_ev REAL, grain REAL, length REAL
    )""",
    """CREATE VIRTUAL TABLE words USING fts5(
        said, content='', tokenize="unicode61 remove_diacritics 2 tokenchars '_'"
    )""",
    # One row for all shots, in the order of `found`: a search by likeness reads one block.
    "CREATE TABLE vectors (kind TEXT PRIMARY KEY, rows BLOB NOT NULL) WITHOUT ROWID",
]

# How many faces and how large; and, only where somebody asked for it, vectors to tell people by,
# which shots were looked at for them, and what people are called. What was heard, by words.
_PEOPLE = [
    *(
        f"ALTER TABLE {table} ADD COLUMN {name} REAL"
        for table in ("measures", "found")
        for name in ("faces", "face_high")
    ),
    """CREATE TABLE faces (
        content TEXT NOT NULL,
        first INTEGER NOT NULL,
        frame INTEGER NOT NULL,
        x REAL NOT NULL, y REAL NOT NULL, w REAL NOT NULL, h REAL NOT NULL,
        vector BLOB NOT NULL,
        person INTEGER NOT NULL
    )""",
    "CREATE INDEX faces_by_shot ON faces (content, first)",
    """CREATE TABLE looked_at (
        content TEXT NOT NULL,
        first INTEGER NOT NULL,
        PRIMARY KEY (content, first)
    ) WITHOUT ROWID""",
    "CREATE TABLE people (id INTEGER PRIMARY KEY, name TEXT NOT NULL)",
    """CREATE TABLE heard (
        content TEXT NOT NULL,
        first INTEGER NOT NULL,
        model TEXT NOT NULL,
        said TEXT NOT NULL,
        PRIMARY KEY (content, first)
    ) WITHOUT ROWID""",
]

MIGRATIONS: list[list[str]] = [_FIRST, _APPROVALS, _REMARKS, _MEASURES, _PEOPLE]
