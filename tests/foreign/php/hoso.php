<?php
// A list of what has changed, served by PHP's own SoapServer from a WSDL. PHP reads the requests and writes the
// answers; here is only which records they hold. HOSO_WSDL is the contract, HOSO_DATA a JSON file that is read anew for
// each request: {"version": "1.1" | "1.2", "changed": name of the time of change, "records": [...], "mood": "..."}.

$data = json_decode(file_get_contents(getenv('HOSO_DATA')), true);

class HoSo
{
    public function danhSachHoSoThayDoi($asked)
    {
        global $data;
        if ($data['mood'] === 'fault') {
            throw new SoapFault('Server', 'Hệ thống đang bảo trì');
        }
        if ($data['mood'] === 'refusal') {
            throw new SoapFault('Client', 'Không được phép', null, ['maLoi' => 'QUYEN'], 'LoiNghiepVu');
        }
        if ($data['mood'] === 'crash') {
            ham_khong_co();
        }
        $since = strtotime($asked->tuThoiDiem);
        $changed = $data['changed'];
        $found = array_values(array_filter($data['records'], fn ($one) => strtotime($one[$changed]) >= $since));
        usort($found, fn ($a, $b) => strtotime($a[$changed]) <=> strtotime($b[$changed]));
        foreach ($found as &$one) {
            if (isset($one['banQuet'])) {
                $one['banQuet'] = base64_decode($one['banQuet']);  // PHP encodes it again, as the contract says
            }
        }
        return [
            'tongSo' => count($found),
            'trang' => $asked->trang,
            'thoiDiem' => date('c'),
            'danhSachHoSo' => [
                'hoSo' => array_slice($found, ($asked->trang - 1) * $asked->soDongMoiTrang, $asked->soDongMoiTrang),
            ],
        ];
    }
}

if ($data['mood'] === 'warning') {
    echo $data['khongCo'];  // there is no such key, and PHP says so in front of the answer
}
$version = $data['version'] === '1.2' ? SOAP_1_2 : SOAP_1_1;
$server = new SoapServer(getenv('HOSO_WSDL'), ['soap_version' => $version, 'cache_wsdl' => WSDL_CACHE_NONE]);
$server->setObject(new HoSo());
$server->handle();
