//! Cities: real ones, some of two words, and invented ones that no list holds.

use super::draw::Draw;

/// A city, a third of them invented.
pub(super) fn city(draw: &mut Draw) -> String {
    if draw.chance(66) {
        draw.word(CITIES).to_owned()
    } else {
        invented(draw)
    }
}

/// Two cities that differ.
pub(super) fn two(draw: &mut Draw) -> (String, String) {
    let first = city(draw);
    let second = other(draw, &first);
    (first, second)
}

/// A city that is not this one.
pub(super) fn other(draw: &mut Draw, first: &str) -> String {
    loop {
        let second = city(draw);
        if second != first {
            return second;
        }
    }
}

fn invented(draw: &mut Draw) -> String {
    let mut name = String::new();
    if draw.chance(12) {
        name.push_str(draw.word("New , Old , Port , San , Lake , Upper , Saint , North , South , Mount "));
        name.push(' ');
    }
    name.push_str(draw.word(FIRST));
    for _ in 0..draw.below(2) {
        name.push_str(draw.word(MIDDLE));
    }
    name.push_str(draw.word(LAST));
    name
}

const FIRST: &str = "Al, Ar, Bel, Ber, Bran, Cal, Cor, Dal, Dor, Drum, El, Esk, Fal, Fen, Gal, Gor, Hal, \
    Har, Hol, Ist, Jar, Kal, Kor, Lan, Lor, Mal, Mar, Mor, Nar, Nor, Ol, Or, Pel, Por, Quel, Ral, Ros, \
    Sal, Sel, Sol, Tal, Tor, Ul, Val, Vel, Ver, Wal, Wes, Yar, Zal, Zor";
const MIDDLE: &str = "a, be, da, de, en, i, la, le, ma, mi, na, ne, o, ra, ri, sa, ta, ti, va, vi";
const LAST: &str = "bach, berg, bo, borg, bridge, by, dale, den, dorf, dova, field, ford, gard, grad, ham, \
    haven, heim, holm, hurst, ka, kirk, land, leigh, lin, mere, mora, mouth, nia, pol, port, rova, rup, \
    stad, stead, ster, thorpe, ton, vale, vik, villa, wick, wood, worth, zin";

const CITIES: &str = "Aarhus, Abidjan, Accra, Adelaide, Aleppo, Algiers, Almaty, Amman, Amsterdam, \
    Anchorage, Ankara, Antwerp, Asmara, Athens, Atlanta, Auckland, Austin, Baghdad, Baku, Bamako, Bangkok, \
    Barcelona, Basel, Beijing, Beirut, Belfast, Belgrade, Bergen, Berlin, Bern, Bilbao, Birmingham, \
    Bogota, Bologna, Bordeaux, Boston, Brasilia, Bratislava, Bremen, Brisbane, Bristol, Brno, Brussels, \
    Bucharest, Budapest, Buenos Aires, Buffalo, Busan, Cairo, Calgary, Cali, Canberra, Cape Town, Caracas, \
    Cardiff, Casablanca, Chennai, Chicago, Cologne, Colombo, Copenhagen, Cork, Cusco, Dakar, Dallas, \
    Damascus, Darwin, Delhi, Denver, Detroit, Dhaka, Dili, Doha, Dortmund, Dresden, Dubai, Dublin, Dundee, \
    Durban, Edinburgh, Edmonton, Essen, Fez, Florence, Frankfurt, Freetown, Galway, Gdansk, Geneva, Genoa, \
    Ghent, Glasgow, Gothenburg, Granada, Graz, Hague, Haifa, Halifax, Hamburg, Hamilton, Hanoi, Hanover, \
    Harare, Havana, Helsinki, Hiroshima, Ho Chi Minh City, Hobart, Hong Kong, Honolulu, Houston, \
    Innsbruck, Islamabad, Istanbul, Izmir, Jakarta, Jerusalem, Johannesburg, Juneau, Kabul, Kampala, \
    Kansas City, Karachi, Kathmandu, Kigali, Kingston, Kinshasa, Kobe, Kolkata, Krakow, Kuala Lumpur, \
    Kuwait City, Kyiv, Kyoto, La Paz, Lagos, Lahore, Las Vegas, Lausanne, Leeds, Leipzig, Lille, Lima, \
    Lisbon, Liverpool, Ljubljana, London, Los Angeles, Luanda, Lublin, Lusaka, Lviv, Lyon, Madrid, Malaga, \
    Malmo, Manaus, Manchester, Manila, Maputo, Marrakesh, Marseille, Medellin, Melbourne, Memphis, Mexico \
    City, Miami, Milan, Minneapolis, Minsk, Mombasa, Monaco, Montevideo, Montreal, Moscow, Mumbai, Munich, \
    Muscat, Nagoya, Nairobi, Nantes, Naples, Nashville, New Delhi, New Orleans, New York, Nice, Nicosia, \
    Odense, Odessa, Oran, Osaka, Oslo, Ottawa, Oxford, Palermo, Panama City, Paris, Perth, Phnom Penh, \
    Phoenix, Pisa, Pittsburgh, Plovdiv, Portland, Porto, Poznan, Prague, Pretoria, Pune, Quebec, Quito, \
    Rabat, Reykjavik, Riga, Rio de Janeiro, Riyadh, Rome, Rostock, Rotterdam, Salem, Salt Lake City, \
    Salzburg, San Diego, San Francisco, San Jose, Santiago, Santo Domingo, Sao Paulo, Sapporo, Sarajevo, \
    Seattle, Seoul, Seville, Shanghai, Sheffield, Shenzhen, Singapore, Skopje, Sofia, Split, Stavanger, \
    Stockholm, Strasbourg, Stuttgart, Suva, Sydney, Taipei, Tallinn, Tampa, Tampere, Tangier, Tashkent, \
    Tbilisi, Tehran, Tel Aviv, Thessaloniki, Tirana, Tokyo, Toledo, Toronto, Toulouse, Trieste, Tripoli, \
    Tromso, Trondheim, Tucson, Tunis, Turin, Turku, Ulm, Uppsala, Utrecht, Valencia, Valletta, Vancouver, \
    Varna, Venice, Vienna, Vilnius, Warsaw, Wellington, Winnipeg, Wroclaw, Xian, Yangon, Yerevan, \
    Yokohama, York, Zagreb, Zanzibar, Zurich";
