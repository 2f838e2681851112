/* Playing the few frames of a shot that were judged, round and round, at the shot's own rate. */
"use strict";

(function () {
  class Loop {
    /** @param show Called with a frame's number; returns a promise. */
    constructor(show) {
      this.show = show;
      this.stop();
    }

    get playing() {
      return this.timer !== undefined && this.timer !== null;
    }

    /** Another shot: it stands on its still. */
    rest(shot) {
      this.stop();
      this.shot = shot;
      this.place = shot.frames.indexOf(shot.still);
    }

    stop() {
      if (this.timer) window.cancelAnimationFrame(this.timer);
      this.timer = null;
    }

    /** Every frame is decoded before the first is shown, so that the rate holds. */
    async play(addresses) {
      await Promise.allSettled(addresses.map((one) => footagefit.stage.load(one)));
      const begun = window.performance.now();
      const from = this.place;
      const tick = (now) => {
        const passed = Math.floor(((now - begun) / 1000) * this.shot.rate);
        const place = (from + passed) % this.shot.frames.length;
        if (place !== this.place) {
          this.place = place;
          this.show(this.shot.frames[place]);
        }
        this.timer = window.requestAnimationFrame(tick);
      };
      this.timer = window.requestAnimationFrame(tick);
    }

    step(by) {
      this.stop();
      const count = this.shot.frames.length;
      this.place = (this.place + by + count) % count;
      return this.shot.frames[this.place];
    }
  }

  footagefit.loops = { Loop };
})();
