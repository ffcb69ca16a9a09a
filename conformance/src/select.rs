//! Which requirements a run is about: a profile, and filters on top of it.

use crate::{
    profile::Profile,
    requirement::{Half, Level, Requirement},
};

/// A choice from the catalogue. Filters of one kind widen each other, those of different kinds
/// narrow: `ids = [SEQ, EOD]` and `levels = [MUST]` chooses the MUSTs of both families.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Selection {
    /// Whose requirements.
    pub half: Half,
    /// Chooses requirements, the listener and how breaches are graded.
    pub profile: Profile,
    /// Ids: beginnings (`SEQ`, `SEQ-0`) or globs (`*-01`).
    pub ids: Vec<String>,
    /// Ids to leave out, in the same way.
    pub without: Vec<String>,
    /// Families: `SEC-TLS`.
    pub families: Vec<String>,
    /// Sections, with those below them: `4.1`, or of one RFC `5321:4.1`.
    pub sections: Vec<String>,
    /// RFC numbers.
    pub rfcs: Vec<u16>,
    /// Levels, as the profile grades; MUST includes MUST NOT.
    pub levels: Vec<Level>,
    /// Tags.
    pub tags: Vec<String>,
    /// Run what may bring the server down.
    pub dos: bool,
    /// Run what takes minutes.
    pub slow: bool,
}

impl Selection {
    /// The requirements chosen, in the catalogue's order.
    pub fn requirements(&self) -> Vec<&'static Requirement> {
        let all = self.half.requirements().iter();
        all.filter(|requirement| self.includes(requirement)).collect()
    }

    /// Whether `requirement` is chosen.
    pub fn includes(&self, requirement: &Requirement) -> bool {
        let places = places(&requirement.reference);
        let level = self.profile.level(requirement);
        self.profile.includes(requirement)
            && any(&self.ids, |pattern| matches(pattern, &requirement.id))
            && !self.without.iter().any(|pattern| matches(pattern, &requirement.id))
            && any(&self.families, |name| name.eq_ignore_ascii_case(requirement.family()))
            && any(&self.sections, |wanted| places.iter().any(|place| place.is_in(wanted)))
            && any(&self.rfcs, |rfc| places.iter().any(|place| place.rfc == *rfc))
            && any(&self.levels, |wanted| same_strength(*wanted, level))
            && any(&self.tags, |tag| requirement.has_tag(tag))
    }

    /// What `requirement` waits for before it is run: a flag.
    pub fn withheld(&self, requirement: &Requirement) -> Option<&'static str> {
        if requirement.has_tag("dos") && !self.dos {
            Some("needs --dos: it may bring the server down")
        } else if requirement.has_tag("slow") && !self.slow {
            Some("needs --slow: it takes minutes")
        } else {
            None
        }
    }

    /// The first filter that no requirement of the whole catalogue fits: a slip of the pen.
    pub fn empty_filter(&self) -> Option<String> {
        let all = self.half.requirements();
        let lost = |test: &dyn Fn(&Requirement) -> bool| !all.iter().any(test);
        let ids = self.ids.iter().chain(&self.without);
        let one = |selection: Selection| lost(&|r| selection.includes(r));
        ids.filter(|pattern| lost(&|r| matches(pattern, &r.id)))
            .chain(self.families.iter().filter(|name| {
                lost(&|requirement| name.eq_ignore_ascii_case(requirement.family()))
            }))
            .chain(self.tags.iter().filter(|tag| lost(&|requirement| requirement.has_tag(tag))))
            .chain(self.sections.iter().filter(|section| {
                one(Selection { sections: vec![(*section).clone()], ..Selection::default() })
            }))
            .cloned()
            .chain(
                self.rfcs
                    .iter()
                    .filter(|rfc| one(Selection { rfcs: vec![**rfc], ..Selection::default() }))
                    .map(|rfc| format!("RFC {rfc}")),
            )
            .next()
    }
}

/// Whether there is no filter, or one of them fits.
fn any<T>(filters: &[T], fits: impl Fn(&T) -> bool) -> bool {
    filters.is_empty() || filters.iter().any(fits)
}

fn same_strength(one: Level, other: Level) -> bool {
    let strength = |level| match level {
        Level::Must | Level::MustNot => 2,
        Level::Should | Level::ShouldNot => 1,
        Level::May => 0,
    };
    strength(one) == strength(other)
}

/// Whether `pattern` means `id`: the whole of it or its beginning, or with `*` and `?` as a glob.
pub fn matches(pattern: &str, id: &str) -> bool {
    let (pattern, id) = (pattern.to_ascii_uppercase(), id.to_ascii_uppercase());
    if pattern.contains(['*', '?']) {
        return glob(pattern.as_bytes(), id.as_bytes());
    }
    id.starts_with(&pattern)
}

fn glob(pattern: &[u8], text: &[u8]) -> bool {
    match (pattern.split_first(), text.split_first()) {
        (None, None) => true,
        (Some((b'*', rest)), _) => {
            glob(rest, text) || text.split_first().is_some_and(|(_, text)| glob(pattern, text))
        }
        (Some((b'?', rest)), Some((_, text))) => glob(rest, text),
        (Some((one, rest)), Some((other, text))) => one == other && glob(rest, text),
        _ => false,
    }
}

/// A place in an RFC; the section is empty where the reference names none.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Place {
    rfc: u16,
    section: String,
}

impl Place {
    /// What sorts places as a reader of the RFCs meets them: §4.2 before §4.10, appendices last.
    pub(crate) fn order(&self) -> (u16, Vec<u32>) {
        let numbers = self.section.split('.').map(|part| part.parse().unwrap_or(u32::MAX));
        (self.rfc, if self.section.is_empty() { Vec::new() } else { numbers.collect() })
    }

    /// Where the RFC editor shows it.
    pub(crate) fn url(&self) -> String {
        let page = format!("https://www.rfc-editor.org/rfc/rfc{}.html", self.rfc);
        if self.section.is_empty() { page } else { format!("{page}#section-{}", self.section) }
    }

    /// Whether it is in `wanted`: `4.1` or `5321:4.1`, and what is below.
    fn is_in(&self, wanted: &str) -> bool {
        let (rfc, section) = match wanted.split_once(':') {
            Some((rfc, section)) => (Some(rfc), section),
            None => (None, wanted),
        };
        let section = section.trim_start_matches('§');
        rfc.is_none_or(|rfc| rfc.parse() == Ok(self.rfc))
            && self
                .section
                .strip_prefix(section)
                .is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
    }
}

/// The places that a reference such as `5321 §4.2, §4.3.1; 2034` names.
pub(crate) fn places(reference: &str) -> Vec<Place> {
    let mut places: Vec<Place> = Vec::new();
    for word in reference.split([' ', ',', ';', '/', '(', ')']) {
        if let Some(section) = word.strip_prefix('§') {
            let section = section.split('-').next().unwrap_or_default().to_owned();
            match places.last_mut() {
                Some(last) if last.section.is_empty() => last.section = section,
                Some(last) => {
                    let rfc = last.rfc;
                    places.push(Place { rfc, section });
                }
                None => {}
            }
        } else if let ([_, _, _] | [_, _, _, _], Ok(rfc)) = (word.as_bytes(), word.parse()) {
            places.push(Place { rfc, section: String::new() });
        }
    }
    places
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::requirement;

    fn chosen(selection: &Selection) -> Vec<&'static str> {
        selection.requirements().iter().map(|requirement| requirement.id.as_str()).collect()
    }

    #[test]
    fn an_id_is_chosen_by_its_beginning_or_by_a_glob() {
        assert!(matches("seq", "SEQ-05") && matches("SEQ-05", "SEQ-05"));
        assert!(matches("SEQ-0", "SEQ-05") && !matches("SEQ-1", "SEQ-05"));
        assert!(matches("*-05", "SEQ-05") && matches("S?Q-*", "SEQ-05"));
        assert!(!matches("*-0", "SEQ-05") && !matches("TLS", "SEC-TLS-01"));
    }

    #[test]
    fn a_reference_names_places() {
        let place = |rfc, section: &str| Place { rfc, section: section.into() };
        assert_eq!(
            places("5321 §4.2 (ABNF), §4.3.1; 2034; CVE-2023-51764/5/6; Postfix HISTORY 20260803"),
            [place(5321, "4.2"), place(5321, "4.3.1"), place(2034, "")]
        );
        assert_eq!(places("9422 §3-4"), [place(9422, "3")]);
        assert_eq!(places("RFC 2505; 5321 §7.9"), [place(2505, ""), place(5321, "7.9")]);
    }

    #[test]
    fn a_place_has_a_page_and_an_anchor() {
        let url = |reference| places(reference).first().map(Place::url);
        let page = "https://www.rfc-editor.org/rfc/rfc2505.html".to_owned();
        assert_eq!(url("CWE-93; RFC 2505"), Some(page));
        let anchor = "https://www.rfc-editor.org/rfc/rfc6531.html#section-3.1".to_owned();
        assert_eq!(url("6531 §3.1(6), §3.7.4.2"), Some(anchor));
        assert_eq!(url("CVE-2019-15846 (Exim)"), None);
    }

    #[test]
    fn a_section_holds_those_below_it_and_no_neighbour() {
        let place = Place { rfc: 5321, section: "4.1.4".into() };
        assert!(place.is_in("4.1") && place.is_in("5321:4.1.4") && place.is_in("§4"));
        assert!(!place.is_in("4.1.4.1") && !place.is_in("2821:4.1") && !place.is_in("4.1.40"));
        assert!(!Place { rfc: 5321, section: "4.10".into() }.is_in("4.1"));
    }

    #[test]
    fn filters_of_one_kind_widen_and_of_two_kinds_narrow() {
        let two = Selection { ids: vec!["SEQ".into(), "EOD".into()], ..Selection::default() };
        assert!(chosen(&two).contains(&"SEQ-05"));
        assert!(chosen(&two).iter().any(|id| id.starts_with("EOD")));
        let narrow = Selection { families: vec!["eod".into()], ..two };
        assert!(chosen(&narrow).iter().all(|id| id.starts_with("EOD")));
        let none = Selection { rfcs: vec![6531], ..narrow };
        assert!(chosen(&none).is_empty());
    }

    #[test]
    fn what_is_left_out_wins_and_the_order_is_the_catalogues() {
        let selection = Selection {
            families: vec!["SEQ".into()],
            without: vec!["SEQ-05".into()],
            ..Selection::default()
        };
        let ids = chosen(&selection);
        assert!(!ids.contains(&"SEQ-05") && ids.contains(&"SEQ-06"));
        let mut whole = requirement::all().iter().map(|requirement| requirement.id.as_str());
        assert!(ids.iter().all(|id| whole.any(|other| other == *id)));
    }

    #[test]
    fn must_means_must_not_too() {
        assert!(same_strength(Level::Must, Level::MustNot));
        assert!(!same_strength(Level::Must, Level::Should));
    }

    #[test]
    fn a_filter_that_fits_nothing_is_named() {
        let typo = Selection { ids: vec!["SEQ".into(), "SQE".into()], ..Selection::default() };
        assert_eq!(typo.empty_filter().as_deref(), Some("SQE"));
        let typo = Selection { rfcs: vec![5321, 999], ..Selection::default() };
        assert_eq!(typo.empty_filter().as_deref(), Some("RFC 999"));
        assert_eq!(Selection::default().empty_filter(), None);
    }

    #[test]
    fn rows_that_may_hurt_wait_for_a_flag() {
        let dos = requirement::all().iter().find(|r| r.has_tag("dos")).unwrap();
        assert!(Selection::default().withheld(dos).unwrap().contains("--dos"));
        let brave = Selection { dos: true, slow: true, ..Selection::default() };
        assert_eq!(brave.withheld(dos), None);
    }
}
