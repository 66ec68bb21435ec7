//! Plots: what happens between the opening and the ending of a story.
//!
//! Slots: `{h}` the hero, `{he}` `{him}` `{his}` the pronouns.

/// The sentences of a plot, each with its alternatives.
pub(super) struct Plot {
    /// In order, without the turn of events.
    pub(super) middle: &'static [&'static str],
    /// How it turns out well.
    pub(super) glad: &'static str,
    /// How it turns out badly.
    pub(super) sad: &'static str,
}

pub(super) const PLOTS: &[Plot] = &[
    Plot {
        middle: &[
            "[that day|on the way home|in the afternoon], {h} lost {his} [key|red scarf|lucky \
                coin|favorite book|silver spoon|blue hat].",
            "{he} looked [under every stone|in every corner|behind every door], but [found nothing|it was \
                gone].",
            "[an old crow|a kind neighbor|a tiny ant|a passing peddler] [offered to help|came to \
                help|looked too].",
        ],
        glad: "[at last|in the end|at sunset] {h} found it in {his} own [pocket|boot|basket|bag].",
        sad: "[they looked until dark|they searched for days], but {h} never found it.",
    },
    Plot {
        middle: &[
            "{h} had [nobody to play with|no friend nearby|only {his} shadow for company].",
            "[one morning|one evening|one day] a [stranger|young traveler|small stray puppy|lost kitten] \
                stood at the door.",
            "{h} shared {his} [bread|soup|apples|blanket|warm fire] with the guest.",
        ],
        glad: "[soon|before long|by nightfall] they were [best friends|good friends], and {h} was never \
            alone again.",
        sad: "but [in the morning|the next day] the guest was gone, and {h} was alone again.",
    },
    Plot {
        middle: &[
            "[then|that night|in the afternoon] a [great|terrible|wild] storm came up.",
            "the wind [tore at the roof|broke the old tree|blew the fence away], and {h} [held on \
                tight|hid under the table|closed the shutters].",
            "{h} [lit a lamp|rang a bell|called out] so that others could find shelter.",
        ],
        glad: "when the storm was over, {h} and [the neighbors|{his} guests] [mended the roof|shared a \
            warm soup|cleared the path].",
        sad: "when the storm was over, the [old house|little garden|big oak] that {h} loved was gone.",
    },
    Plot {
        middle: &[
            "{h} found a [small box|round parcel|bag with a ribbon] [at the door|on the path|under a tree].",
            "[inside|in it] was a [golden bell|music box|tiny lantern|glass bird|painted egg].",
            "{h} [wondered|asked everyone] [who had sent it|whose it was].",
        ],
        glad: "it was a gift from [an old friend|{his} aunt|a thankful neighbor], and {h} [smiled|was \
            glad] for days.",
        sad: "it was meant for [somebody else|another], and {h} had to give it back.",
    },
    Plot {
        middle: &[
            "[every year|each summer|each spring] there was a [big |great |]race, and {h} wanted to \
                [win|take part|try] too.",
            "{h} [trained|practiced] [every morning|for weeks|in the rain].",
            "in the middle of the race, [a rival|another runner|the fastest runner] [fell|stumbled|got \
                stuck in the mud].",
        ],
        glad: "{h} stopped to help, and [both of them|the two] crossed the line together.",
        sad: "{h} stopped to help, but [nobody saw it|no one thanked {him}], and {he} came in last.",
    },
    Plot {
        middle: &[
            "behind [a curtain|an old shelf|the ivy], {h} discovered a secret door.",
            "it was [locked|stuck], but {h} [had a rusty key|knew a trick|pushed with all {his} strength].",
            "[a narrow stair|a long passage|a dusty hall] led [down|up|into the dark].",
        ],
        glad: "[at the end|there] {h} found a room full of [old books|bright lamps|toys|singing birds].",
        sad: "[at the end|there] {h} found [an empty room|only dust and silence] and a letter that came \
            too late.",
    },
    Plot {
        middle: &[
            "{h} had a [little |green |wooden |]boat, but it had a [hole|crack|leak].",
            "[the nails were lost|the wood was rotten|nobody had any tar], so {h} [asked around|thought \
                hard|looked for help].",
            "[a beaver|an old carpenter|a friendly duck] brought [a plank|some tar|a bucket of nails].",
        ],
        glad: "they mended the boat, and {h} sailed out [at dawn|under a blue sky|with a song].",
        sad: "they mended the boat, but [the next wave|a strong current] carried it away from {h}.",
    },
    Plot {
        middle: &[
            "[that night|in the evening], {h} saw a star fall [behind the hill|into a field|close by].",
            "{h} took [a lantern|a basket|{his} coat] and went to look for it.",
            "it lay in the grass and [glowed softly|hummed|was still warm].",
        ],
        glad: "{h} [carried it home|put it in a window], and it [shone|gave light] for everyone.",
        sad: "when {h} touched it, the light went out and [did not come back|never returned].",
    },
    Plot {
        middle: &[
            "{h} wanted to bake [a cake|a pie|bread|cookies] for [a friend|the feast|a birthday].",
            "but there was no [flour|sugar|butter|salt] in the house.",
            "{h} went from door to door and [traded a song for it|asked for a cup|told a riddle for each \
                spoonful].",
        ],
        glad: "the [baking|feast] was a success, and {h} [kept only the crumbs|got the biggest piece].",
        sad: "but the oven was too hot, and {h} had only [ashes|black crumbs] to give.",
    },
    Plot {
        middle: &[
            "[winter came early|it snowed for days|the ice came in the night], and {h} had [little \
                wood|little food|no warm coat].",
            "{h} [went out to gather branches|knocked at a neighbor's door|made a plan].",
            "on the way {he} met [a hungry bird|a freezing hare|a lost child].",
        ],
        glad: "{h} shared what {he} had, and together they [kept warm|got through the winter].",
        sad: "{h} gave away {his} last [bread|blanket], and the night was long and cold.",
    },
    Plot {
        middle: &[
            "[an old map|a torn map|a strange map] fell out of a book, right in front of {h}.",
            "it showed a [red cross|tiny star] beside [a crooked tree|a big rock|an old well].",
            "{h} [dug|searched] there [all day|until evening|with a wooden spoon].",
        ],
        glad: "{h} found a chest full of [coins|letters|marbles|seeds] and shared it with everyone.",
        sad: "somebody had been there before {h}, and the chest was empty.",
    },
    Plot {
        middle: &[
            "{h} wanted to learn to [fly|swim|sing|dance|whistle|juggle].",
            "everybody said that [it could not be done|it was too hard|{he} should not try].",
            "but {h} practiced [every day|in secret|day and night] and [fell often|failed often|did not \
                give up].",
        ],
        glad: "[one day|at last] it worked, and everybody [cheered for|clapped for|was proud of] {h}.",
        sad: "[one day|in the end] {h} was too tired and gave up {his} dream.",
    },
    Plot {
        middle: &[
            "[a strange sound|a soft tapping|a low humming] came from [the chimney|the cellar|under the \
                floor].",
            "{h} took a [candle|lamp|broom] and went to see.",
            "step by step {he} came closer, and the sound grew [louder|stranger|quicker].",
        ],
        glad: "it was only [a family of mice|a lost bee|a clock|a hungry kitten], and {h} laughed with \
            relief.",
        sad: "it was an old clock, and as {h} came near, it stopped forever.",
    },
    Plot {
        middle: &[
            "{h} planted a [tiny |strange |round |]seed and watered it [every day|with care|each morning].",
            "[for weeks|for a long time] nothing happened, and [the neighbors laughed|people shook their \
                heads].",
            "then a green shoot came up and grew [taller than the house|as high as a tower|faster every \
                day].",
        ],
        glad: "it bore [golden pears|sweet plums|the best apples of all], and {h} gave one to each neighbor.",
        sad: "but the first frost came that night, and in the morning {h} found it withered.",
    },
    Plot {
        middle: &[
            "[the river had risen|the bridge was broken|a tree had fallen over the road], and nobody could \
                get across.",
            "{h} [had an idea|made a plan|thought about it for a while].",
            "with [ropes and planks|big stones|the help of all neighbors] {h} built a new way.",
        ],
        glad: "now everybody could cross, and they named the way after {h}.",
        sad: "but the water rose again and took away all that {h} had built.",
    },
    Plot {
        middle: &[
            "{h} wrote a letter to [the moon|{his} grandmother|an old friend|the queen].",
            "the wind [took it|blew it away|carried it off] [over the roofs|over the hills|high up into \
                the sky].",
            "{h} waited for an answer [all week|all summer|day after day].",
        ],
        glad: "[at last|one morning] a letter came back, and it said: you are [not alone|always \
            welcome|dear to me].",
        sad: "no answer ever came, and {h} stopped waiting.",
    },
    Plot {
        middle: &[
            "the [feast|market|wedding|spring party] was near, but the [music|fiddler|drummer] was missing.",
            "{h} had an old [flute|drum|violin|horn] and had never played before others.",
            "with [shaking|cold|nervous] hands {h} began to play.",
        ],
        glad: "everybody [danced|clapped|sang along], and {h} played until [midnight|morning].",
        sad: "but nobody listened, and {h} put the music away for good.",
    },
    Plot {
        middle: &[
            "{h} met [a giant|a dragon|a wolf|a lion] with a thorn in its [foot|paw].",
            "{h} was [afraid|frightened|trembling], but {he} went closer.",
            "[very carefully|slowly|with one quick pull] {he} pulled out the thorn.",
        ],
        glad: "from then on the [great|big] beast [guarded|protected|followed] {h} wherever {he} went.",
        sad: "the beast ran off without a word, and {h} stood there alone.",
    },
    Plot {
        middle: &[
            "{h} [went for a walk|followed a butterfly|picked berries] and lost the way.",
            "it grew [dark|late|cold], and all paths looked the same.",
            "{h} [sat down|climbed a tree|listened] and saw [a small light|smoke from a chimney|a row of \
                white stones].",
        ],
        glad: "{h} followed it and came home [safe and sound|just in time for dinner].",
        sad: "{h} followed it, but it led only deeper into the dark.",
    },
    Plot {
        middle: &[
            "two neighbors were arguing about [a fence|a goose|an apple tree|a well].",
            "they asked {h} to [decide|judge|settle it].",
            "{h} listened to both and [thought for a long time|asked three questions|smiled].",
        ],
        glad: "then {h} [told a joke|made a fair plan], and they shook hands.",
        sad: "{h} did {his} best, but they never spoke to each other again.",
    },
    Plot {
        middle: &[
            "{h} built a [kite|glider|balloon|paper boat] out of [old letters|colored cloth|leaves and \
                string].",
            "it went [up|off] at once and took a [message|little flag|ribbon] along.",
            "{h} ran after it [over hill and dale|through the mud|as fast as {he} could].",
        ],
        glad: "it landed beside [a child|somebody] who had always wanted one, and {h} shared it \
            [gladly|with a smile].",
        sad: "it grew smaller and smaller until {h} could not see it any more.",
    },
    Plot {
        middle: &[
            "[suddenly|that day] all the [clocks stood still|bells were silent|colors were gone].",
            "nobody knew why, so {h} set out to ask [the wise owl|the clockmaker|the oldest tree].",
            "the answer was a riddle: what [grows when you share it|is light but fills a room|runs without \
                legs]?",
        ],
        glad: "{h} knew the answer, and everything was as before, only [brighter|better].",
        sad: "{h} did not know the answer, and everything stayed as it was.",
    },
    Plot {
        middle: &[
            "{h} had [a cold|a bad cough|a fever] and had to stay in bed.",
            "outside [the others were playing|there was a fair|the sun was shining].",
            "{h} [drew pictures on the window|counted the clouds|listened to the voices].",
        ],
        glad: "then {his} friends came in with [soup and songs|flowers|a big cake], and {h} felt better.",
        sad: "nobody came to see {h} that day.",
    },
    Plot {
        middle: &[
            "[a whale|a baby seal|a big fish] lay [on the sand|in a shallow pool], far from the deep water.",
            "{h} [fetched buckets|called for help|dug a channel] [as fast as {he} could|without a pause].",
            "[all through the night|for hours|until the tide came], {h} kept it wet and spoke to it.",
        ],
        glad: "in the morning the water came, and it swam away and [waved to|splashed] {h}.",
        sad: "in the morning it was too late, and {h} sat beside it for a long time.",
    },
];
