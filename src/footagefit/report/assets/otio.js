/* Picks and notes as an OpenTimelineIO timeline: a clip for each shot, a marker for each word. */
"use strict";

(function () {
  const { shots } = footagefit.parts;
  const colours = { pick: "GREEN", note: "YELLOW" };

  const time = (value, rate) => ({ OTIO_SCHEMA: "RationalTime.1", value, rate });

  const range = (first, count, rate) => ({
    OTIO_SCHEMA: "TimeRange.1",
    start_time: time(first, rate),
    duration: time(count, rate),
  });

  function marker(what, one, rate, by) {
    const words = what === "pick" ? `picked ${one.fit}` : one.text;
    return {
      OTIO_SCHEMA: "Marker.2",
      name: words.slice(0, 80),
      color: colours[what],
      comment: words,
      marked_range: range(one.frame, 1, rate),
      metadata: { footagefit: { what, by, ...one } },
    };
  }

  function clip(shot, markers) {
    const all = range(shot.first, shot.last - shot.first + 1, shot.rate);
    return {
      OTIO_SCHEMA: "Clip.2",
      name: shot.name,
      metadata: { footagefit: { scene: shot.scene, setup: shot.setup, take: shot.take } },
      source_range: all,
      effects: [],
      markers,
      enabled: true,
      active_media_reference_key: "DEFAULT_MEDIA",
      media_references: {
        DEFAULT_MEDIA: {
          OTIO_SCHEMA: "ExternalReference.1",
          name: "",
          metadata: {},
          available_range: all,
          target_url: shot.clip,
        },
      },
    };
  }

  /** A timeline of the shots that something was said of, in the report's order. */
  function timeline(said) {
    const clips = [];
    for (const shot of shots.values()) {
      const mine = (group, what) =>
        said[group]
          .filter((one) => one.shot === shot.name)
          .map((one) => marker(what, one, shot.rate, said.by));
      const markers = [...mine("picks", "pick"), ...mine("notes", "note")];
      if (markers.length) clips.push(clip(shot, markers));
    }
    const track = {
      OTIO_SCHEMA: "Track.1", name: "decisions", kind: "Video", source_range: null, enabled: true,
      metadata: {}, effects: [], markers: [], children: clips,
    };
    const stack = {
      OTIO_SCHEMA: "Stack.1", name: "tracks", source_range: null, enabled: true,
      metadata: {}, effects: [], markers: [], children: [track],
    };
    return {
      OTIO_SCHEMA: "Timeline.1",
      name: `${said.show} decisions`,
      global_start_time: null,
      metadata: { footagefit: { report: said.report, approvals: said.approvals, fits: said.fits } },
      tracks: stack,
    };
  }

  footagefit.otio = { timeline };
})();
