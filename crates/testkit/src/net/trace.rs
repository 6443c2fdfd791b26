use std::fmt::Write as _;

/// What happened to packets that were sent at even intervals.
#[derive(Debug, Clone, PartialEq)]
pub struct Trace {
    /// Between two packets, by the sender's clock.
    pub interval_ms: f64,
    /// How much faster the sender's clock runs.
    pub drift_ppm: f64,
    /// One for each packet.
    pub fates: Vec<Fate>,
}

/// What happened to one packet.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Fate {
    /// It never came.
    Lost,
    /// It came.
    Arrives {
        /// When, by the receiver's clock; the first packet was sent at 0.
        at_ms: f64,
        /// When it came a second time.
        again: Option<f64>,
    },
}

/// A packet coming in.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Arrival {
    /// When, by the receiver's clock.
    pub at_ms: f64,
    /// Which of the packets.
    pub packet: usize,
}

impl Trace {
    /// What comes in, in the order in which it does.
    pub fn arrivals(&self) -> impl Iterator<Item = Arrival> + use<> {
        let mut all = Vec::new();
        for (packet, fate) in self.fates.iter().enumerate() {
            if let Fate::Arrives { at_ms, again } = *fate {
                all.push(Arrival { at_ms, packet });
                all.extend(again.map(|at_ms| Arrival { at_ms, packet }));
            }
        }
        all.sort_by(|a, b| a.at_ms.total_cmp(&b.at_ms).then(a.packet.cmp(&b.packet)));
        all.into_iter()
    }

    /// When a packet was sent, by the receiver's clock.
    pub fn sent_ms(&self, packet: usize) -> f64 {
        packet as f64 * self.interval_ms / (1.0 + self.drift_ppm * 1e-6)
    }

    /// The delay of each packet, `None` for a lost one.
    pub fn delays_ms(&self) -> impl Iterator<Item = Option<f64>> + '_ {
        self.fates.iter().enumerate().map(|(packet, fate)| match fate {
            Fate::Lost => None,
            Fate::Arrives { at_ms, .. } => Some(at_ms - self.sent_ms(packet)),
        })
    }

    /// As text: a first line `interval_ms drift_ppm`, then for each packet `-` or when it came, in ms, and when again.
    pub fn to_text(&self) -> String {
        let mut text = format!("{} {}\n", self.interval_ms, self.drift_ppm);
        for fate in &self.fates {
            let written = match fate {
                Fate::Lost => writeln!(text, "-"),
                Fate::Arrives { at_ms, again: None } => writeln!(text, "{at_ms:.2}"),
                Fate::Arrives {
                    at_ms,
                    again: Some(again),
                } => writeln!(text, "{at_ms:.2} {again:.2}"),
            };
            written.expect("a string takes any text");
        }
        text
    }

    /// Reads [`to_text`](Self::to_text). Lines that begin with `#` are remarks.
    ///
    /// # Panics
    /// When a line is something else.
    pub fn from_text(text: &str) -> Self {
        let mut lines = text.lines().filter(|line| !line.starts_with('#'));
        let numbers = |line: &str| -> Vec<f64> {
            line.split_whitespace()
                .map(|n| n.parse().unwrap_or_else(|e| panic!("{line}: {e}")))
                .collect()
        };
        let head = numbers(lines.next().expect("a first line"));
        let fates = lines.map(|line| match line {
            "-" => Fate::Lost,
            line => {
                let times = numbers(line);
                Fate::Arrives {
                    at_ms: times[0],
                    again: times.get(1).copied(),
                }
            }
        });
        Self {
            interval_ms: head[0],
            drift_ppm: head[1],
            fates: fates.collect(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_written_trace_reads_back() {
        let text = "# made by hand\n20 0\n30.00\n-\n75.50 80.25\n";
        let trace = Trace::from_text(text);
        assert_eq!(trace.to_text(), text.split_once('\n').expect("lines").1);
        let packets: Vec<_> = trace.arrivals().map(|arrival| arrival.packet).collect();
        assert_eq!(packets, [0, 2, 2]);
        assert_eq!(
            trace.delays_ms().collect::<Vec<_>>(),
            [Some(30.0), None, Some(35.5)]
        );
    }
}
