namespace peers;

// The rows with the six columns that are shown, and a key.
entity Shown {
  key ID : Integer;
  Periode : String;
  ![Område] : String;
  ![Køn] : String;
  Herkomst : String;
  Antal_personer : Integer;
  Antal_fuldtidspersoner : Integer;
}

// The same rows with every column of the bridge.
entity Whole {
  key ID : Integer;
  Periode : String;
  Periodetype : String;
  Fra : Date;
  Til : Date;
  ![Område] : String;
  ![Område_id] : String;
  ![Områdekode] : String;
  ![Områdeniveau] : String;
  ![Køn] : String;
  ![Køn_id] : String;
  ![Køn_niveau] : String;
  ![Køn_nr] : Integer;
  Herkomst : String;
  Herkomst_id : String;
  Herkomst_niveau : String;
  Herkomst_nr : Integer;
  Antal_personer : Integer;
  Antal_fuldtidspersoner : Integer;
  ![Fuldtidspersoner_i_pct_af_arbejdsstyrken_16_66_år] : Double;
  ![Fuldtidspersoner_i_pct_af_befolkningen_16_66_år] : Double;
  Status : String;
  Opdateret : String;
}

@path: '/rows'
service Rows {
  entity ShownRows as projection on Shown;
  entity WholeRows as projection on Whole;
}
